//! Parameters that the reader sets: typed, slid, nudged, many at once, put back.

use crate::param::Value;
use crate::web::lab::{BAD_VALUE, Lab, Trail};
use crate::world::problem::Problem;
use crate::world::setting::Setting;

impl Lab {
    pub(super) fn set(&mut self, path: &str, text: &str) -> Trail {
        let done = self.session.set(path, text);
        self.tell(done)
    }

    pub(super) fn set_all(&mut self, values: &[(String, String)]) -> Trail {
        let done = self.session.set_all(values);
        self.tell(done)
    }

    pub(super) fn grow(&mut self, group: &str) -> Trail {
        let done = self.session.add_member(group);
        self.tell(done)
    }

    /// Says what was refused, and what the change stopped.
    fn tell(&mut self, done: Result<(), Problem>) -> Trail {
        match done {
            Ok(()) => self.notices.retain(|notice| notice.title != BAD_VALUE),
            Err(problem) => self.refuse(BAD_VALUE, &[problem]),
        }
        self.stop_said = false;
        self.say_stop();
        Trail::Replace
    }

    pub(super) fn slide(&mut self, path: &str, position: u32) -> Trail {
        let at =
            |setting: &Setting, _: &Value| setting.spec.show(&setting.spec.at_position(position));
        self.text_of(path, at).map_or(Trail::None, |text| self.set(path, &text))
    }

    pub(super) fn nudge(&mut self, path: &str, steps: i32) -> Trail {
        let by =
            |setting: &Setting, value: &Value| setting.spec.show(&setting.spec.nudge(value, steps));
        self.text_of(path, by).map_or(Trail::None, |text| self.set(path, &text))
    }

    pub(super) fn unset(&mut self, path: &str) -> Trail {
        let Ok(setting) = self.session.scenario().setting(path) else { return Trail::None };
        let text = setting.spec.show(&self.session.planned_value(&setting));
        self.set(path, &text)
    }

    /// What a parameter's declaration and values say; `None` when there is no such parameter.
    pub(super) fn text_of(
        &self,
        path: &str,
        say: impl FnOnce(&Setting, &Value) -> String,
    ) -> Option<String> {
        let setting = self.session.scenario().setting(path).ok()?;
        let value = self.session.value_now(&setting);
        Some(say(&setting, &value))
    }
}
