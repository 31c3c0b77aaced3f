//! Parameters that the reader sets: typed, slid, nudged, many at once, put back.

use crate::param::Value;
use crate::web::lab::{BAD_VALUE, Lab, Trail};
use crate::web::reading::value_now;
use crate::world::setting::Setting;

impl Lab {
    pub(super) fn set(&mut self, path: &str, text: &str) -> Trail {
        match self.session.set(path, text) {
            Ok(()) => self.notices.retain(|notice| notice.title != BAD_VALUE),
            Err(problem) => self.refuse(BAD_VALUE, &[problem]),
        }
        self.stop_said = false;
        self.say_stop();
        Trail::Replace
    }

    pub(super) fn set_all(&mut self, values: &[(String, String)]) -> Trail {
        match self.session.set_all(values) {
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
        let default = |setting: &Setting, _: &Value| setting.spec.show(&setting.default);
        self.text_of(path, default).map_or(Trail::None, |text| self.set(path, &text))
    }

    /// What a parameter's declaration and values say; `None` when there is no such parameter.
    pub(super) fn text_of(
        &self,
        path: &str,
        say: impl FnOnce(&Setting, &Value) -> String,
    ) -> Option<String> {
        let setting = self.session.scenario().setting(path).ok()?;
        let value = value_now(&self.session, &setting);
        Some(say(&setting, &value))
    }
}
