//! A place where a component leaves something for the frame loop.

use std::cell::RefCell;
use std::rc::Rc;

/// A shared place for one thing; empty while its component is not on the page.
pub struct Slot<T>(Rc<RefCell<Option<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot(Rc::new(RefCell::new(None)))
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot(self.0.clone())
    }
}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Slot<T>) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Slot<T> {
    /// Puts something there.
    pub fn set(&self, thing: T) {
        self.0.replace(Some(thing));
    }

    /// Empties it.
    pub fn clear(&self) {
        self.0.replace(None);
    }

    /// Uses what is there, if anything is. Must not be used inside itself.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.borrow_mut().as_mut().map(use_it)
    }
}
