//! The two declarations: `choices!` for the words of a choice, `params!` for a model's parameters.

use crate::param::spec::Spec;
use crate::param::text::Reason;
use crate::param::value::Value;

/// The parameters of one node, without knowing which model it is.
pub trait Params {
    /// The kind of actor or channel that they belong to, as documents write it.
    fn kind(&self) -> &'static str;

    /// The declarations, in order; an index below is a place in this list.
    fn specs(&self) -> &'static [Spec];

    /// The value of a parameter.
    ///
    /// # Panics
    /// If there is no such index.
    fn get(&self, index: u8) -> Value;

    /// Changes a parameter; refuses a value of another kind or outside the range.
    ///
    /// # Panics
    /// If there is no such index.
    fn set(&mut self, index: u8, value: &Value) -> Result<(), Reason>;
}

/// The index of the parameter with a key.
pub fn index_of(specs: &[Spec], key: &str) -> Option<u8> {
    specs.iter().position(|spec| spec.key == key).map(|index| index as u8)
}

/// A field's name without the `r#` of a keyword.
pub const fn plain(field: &str) -> &str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Whether `key` is `field` with `-` for `_`: the rule that [`params!`](crate::params) follows.
pub const fn dashed<const N: usize>(field: &str) -> [u8; N] {
    let from = field.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = if from[i] == b'_' { b'-' } else { from[i] };
        i += 1;
    }
    out
}

/// The text of a key that [`dashed`] made.
pub const fn key_text(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a field's name is UTF-8"),
    }
}

/// Declares an enum of words that a parameter can be; the first is the default.
///
/// ```
/// inflight::choices! {
///     /// How messages arrive.
///     pub enum Arrivals {
///         /// Independent of each other.
///         Poisson = "poisson" ("Poisson", "泊松"),
///         /// One like the other.
///         Constant = "constant" ("constant", "等间隔"),
///     }
/// }
/// use inflight::param::Param;
/// assert_eq!(Arrivals::parse("constant"), Ok(Arrivals::Constant));
/// assert_eq!(Arrivals::default().show(), "poisson");
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$choice_meta:meta])*
                $variant:ident = $word:literal ($en:literal, $zh:literal)
            ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        $vis enum $name {
            $( $(#[$choice_meta])* $variant, )+
        }

        impl $name {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [$name] = &[$( $name::$variant ),+];
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl $crate::param::Param for $name {
            const KIND: $crate::param::Kind = $crate::param::Kind::Choice;
            const CHOICES: &'static [$crate::param::Choice] = &[
                $( $crate::param::Choice {
                    word: $word,
                    name: $crate::param::Text::new($en, $zh),
                } ),+
            ];

            fn value(&self) -> $crate::param::Value {
                $crate::param::Value::Choice(*self as u8)
            }

            fn from_value(value: &$crate::param::Value) -> ::core::option::Option<Self> {
                match value {
                    $crate::param::Value::Choice(index) => {
                        Self::ALL.get(usize::from(*index)).copied()
                    }
                    _ => ::core::option::Option::None,
                }
            }

            fn parse(text: &str) -> ::core::result::Result<Self, $crate::param::Reason> {
                let choices = <Self as $crate::param::Param>::CHOICES;
                let index = $crate::param::parse_choice(text, choices)?;
                ::core::result::Result::Ok(Self::ALL[usize::from(index)])
            }
        }
    };
}

/// Declares the parameters of one kind of actor or channel.
///
/// Each entry: field, type, default, the range with its scale (`scale log`, or `step X`) and, where
/// it is narrower, the slider's part of it; or `choice`, `switch`, `words N` (at most N short
/// words), `spans N` (at most N instants, in order), `lasting N` (at most N lengths of time),
/// `lines CHECK` (steps of a small language, which that function checks);
/// whether it applies `live` or at a `restart`, name and help in English and Chinese, and the
/// source. The key is the field with `-` for `_`.
///
/// ```
/// use inflight::kernel::SimSpan;
/// use inflight::param::{Rate, Value};
/// inflight::params! {
///     /// Parameters of a demonstration.
///     pub struct DemoParams for "demo" {
///         /// Mean number of messages per second.
///         rate: Rate = Rate::per_s(30), range Rate::per_s(0) => Rate::per_s(1_000_000),
///             scale log, slider Rate::per_s(1) => Rate::per_s(1_000), applies live,
///             name ("Rate", "速率"), help ("Messages per second.", "每秒消息数。"),
///             source "our own";
///         /// How long it takes.
///         warm_up: SimSpan = SimSpan::ms(5), range SimSpan::ZERO => SimSpan::s(1),
///             step SimSpan::ms(5), applies restart,
///             name ("Warm-up", "预热"), help ("Time before the first.", "第一条之前的时间。"),
///             source "our own";
///         /// Whether it does anything.
///         enabled: bool = true, switch, applies live,
///             name ("Enabled", "启用"), help ("Does it work?", "是否工作?"), source "our own";
///     }
/// }
/// let mut params = DemoParams::default();
/// assert_eq!(DemoParams::SPECS[1].key, "warm-up");
/// assert_eq!(params.set(0, &Value::Rate(Rate::per_s(90))), Ok(()));
/// assert_eq!(params.rate, Rate::per_s(90));
/// assert!(params.set(0, &Value::Rate(Rate::per_s(2_000_000))).is_err());
/// ```
#[macro_export]
macro_rules! params {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident for $kind:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $ty:ty = $default:expr
                $(, range $min:expr => $max:expr)?
                $(, scale $scale:ident)?
                $(, step $step:expr)?
                $(, slider $from:expr => $to:expr)?
                $(, choice)?
                $(, switch)?
                $(, words $words:expr)?
                $(, spans $spans:expr)?
                $(, lasting $lasting:expr)?
                $(, lines $grammar:path)?
                , applies $applies:ident
                , name ($name_en:literal, $name_zh:literal)
                , help ($help_en:literal, $help_zh:literal)
                , source $source:literal
            );* $(;)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        $vis struct $name {
            $( $(#[doc = $doc])+ pub $field: $ty, )*
        }

        impl $name {
            /// The kind of node that these parameters belong to.
            pub const KIND: &'static str = $kind;

            /// The declarations, in order.
            pub const SPECS: &'static [$crate::param::Spec] = &[
                $( $crate::param::Spec {
                    key: {
                        const FIELD: &str = $crate::param::plain(stringify!($field));
                        const KEY: [u8; FIELD.len()] = $crate::param::dashed(FIELD);
                        $crate::param::key_text(&KEY)
                    },
                    name: $crate::param::Text::new($name_en, $name_zh),
                    help: $crate::param::Text::new($help_en, $help_zh),
                    kind: <$ty as $crate::param::Param>::KIND,
                    choices: <$ty as $crate::param::Param>::CHOICES,
                    scale: $crate::params!(@scale $($scale)?),
                    source: $source,
                    applies: $crate::params!(@applies $applies),
                    default_of: || <$ty as $crate::param::Param>::value(&$default),
                    range_of: || $crate::params!(@pair $ty $(, $min, $max)?),
                    slider_of: || $crate::params!(@pair $ty $(, $from, $to)?),
                    step_of: || $crate::params!(@one $ty $(, $step)?),
                    entries: 0 $( + $words )? $( + $spans )? $( + $lasting )?,
                    in_order: true $( && $lasting == 0 )?,
                    grammar: $crate::params!(@grammar $($grammar)?),
                } ),*
            ];

            /// The index of the parameter with a key.
            pub fn index_of(key: &str) -> ::core::option::Option<u8> {
                $crate::param::index_of(Self::SPECS, key)
            }

            /// The value of a parameter; panics if there is no such index.
            pub fn get(&self, index: u8) -> $crate::param::Value {
                let values = [$(
                    (|params: &$name| $crate::param::Param::value(&params.$field))
                        as fn(&$name) -> $crate::param::Value
                ),*];
                values[usize::from(index)](self)
            }

            /// Changes a parameter; refuses another kind of value and one outside the range.
            pub fn set(
                &mut self,
                index: u8,
                value: &$crate::param::Value,
            ) -> ::core::result::Result<(), $crate::param::Reason> {
                Self::SPECS[usize::from(index)].check(value)?;
                let setters = [$(
                    (|params: &mut $name, value: &$crate::param::Value| {
                        let value = <$ty as $crate::param::Param>::from_value(value);
                        params.$field = value.expect("the check saw its kind");
                    }) as fn(&mut $name, &$crate::param::Value)
                ),*];
                setters[usize::from(index)](self, value);
                ::core::result::Result::Ok(())
            }
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }

        impl $crate::param::Params for $name {
            fn kind(&self) -> &'static str {
                Self::KIND
            }

            fn specs(&self) -> &'static [$crate::param::Spec] {
                Self::SPECS
            }

            fn get(&self, index: u8) -> $crate::param::Value {
                $name::get(self, index)
            }

            fn set(
                &mut self,
                index: u8,
                value: &$crate::param::Value,
            ) -> ::core::result::Result<(), $crate::param::Reason> {
                $name::set(self, index, value)
            }
        }
    };

    (@grammar) => { ::core::option::Option::None };
    (@grammar $check:path) => { ::core::option::Option::Some($check) };
    (@scale log) => { $crate::param::Scale::Log };
    (@scale linear) => { $crate::param::Scale::Linear };
    (@scale) => { $crate::param::Scale::Linear };
    (@applies live) => { $crate::param::Applies::Live };
    (@applies restart) => { $crate::param::Applies::Restart };
    (@one $ty:ty) => { ::core::option::Option::None };
    (@one $ty:ty, $value:expr) => {
        ::core::option::Option::Some(<$ty as $crate::param::Param>::value(&$value))
    };
    (@pair $ty:ty) => { ::core::option::Option::None };
    (@pair $ty:ty, $min:expr, $max:expr) => {
        ::core::option::Option::Some((
            <$ty as $crate::param::Param>::value(&$min),
            <$ty as $crate::param::Param>::value(&$max),
        ))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SimSpan;
    use crate::param::{Amount, BitRate, Bytes, Kind, Lang, Ppm, Rate, Scale, Spans, Words};
    use crate::param::{Applies, Param};
    use proptest::prelude::*;

    crate::choices! {
        /// What to do with one message too many.
        pub enum Overflow {
            /// The sender waits.
            Block = "block" ("block", "阻塞"),
            /// The newcomer is refused.
            Reject = "reject" ("reject", "拒绝"),
            /// The eldest goes.
            DropOldest = "drop-oldest" ("drop oldest", "丢弃最旧"),
        }
    }

    crate::params! {
        /// One parameter of every kind.
        pub struct TestParams for "test" {
            /// Messages per second.
            rate: Rate = Rate::per_s(30), range Rate::per_s(0) => Rate::per_s(1_000_000),
                scale log, applies live, name ("Rate", "速率"),
                help ("Messages per second, on average.", "平均每秒消息数。"), source "test";
            /// One way.
            delay: SimSpan = SimSpan::ms(5), range SimSpan::ZERO => SimSpan::s(2),
                step SimSpan::ms(5), applies live, name ("Delay", "时延"),
                help ("One way.", "单向。"), source "test";
            /// Line rate.
            line_rate: BitRate = BitRate(0), range BitRate(0) => BitRate(1_000_000_000_000),
                scale log, applies live, name ("Line", "线路"), help ("Bits.", "比特。"),
                source "test";
            /// Message size.
            size: Bytes = Bytes(1_024), range Bytes(1) => Bytes::kib(1_024), scale log,
                applies restart, name ("Size", "大小"), help ("Size.", "大小。"), source "test";
            /// Loss.
            loss: Ppm = Ppm::ZERO, range Ppm::ZERO => Ppm::ONE, scale log, applies live,
                name ("Loss", "丢失"), help ("Loss.", "丢失。"), source "test";
            /// Unacknowledged at most.
            prefetch: Amount = Amount(2), range Amount(1) => Amount::UNLIMITED, scale log,
                slider Amount(1) => Amount(100), applies live, name ("Prefetch", "预取"),
                help ("At most.", "最多。"), source "test";
            /// Full.
            overflow: Overflow = Overflow::Block, choice, applies live, name ("Full", "满"),
                help ("When full.", "满时。"), source "test";
            /// Keeps order.
            ordered: bool = true, switch, applies live, name ("Ordered", "有序"),
                help ("Order.", "顺序。"), source "test";
            /// Queues.
            queues: Words = Words::of(&["orders"]), words 16, applies restart,
                name ("Queues", "队列"), help ("Names.", "名称。"), source "test";
            /// Instants.
            times: Spans = Spans::NONE, spans 3, applies restart, name ("Times", "时刻"),
                help ("When.", "何时。"), source "test";
            /// A queue.
            queue: Words = Words::NONE, words 1, applies restart, name ("Queue", "队列"),
                help ("Name.", "名称。"), source "test";
        }
    }

    fn spec(key: &str) -> &'static Spec {
        let index = TestParams::index_of(key).expect("a key of the test");
        &TestParams::SPECS[usize::from(index)]
    }

    #[test]
    fn one_entry_makes_key_default_range_and_switch() {
        let params = TestParams::default();
        assert_eq!(TestParams::KIND, "test");
        assert_eq!(spec("line-rate").kind, Kind::BitRate);
        assert_eq!(spec("rate").scale, Scale::Log);
        assert_eq!(spec("delay").scale, Scale::Linear);
        assert_eq!(spec("size").applies, Applies::Restart);
        assert_eq!(spec("overflow").choices[2].name.get(Lang::Zh), "丢弃最旧");
        for (index, spec) in TestParams::SPECS.iter().enumerate() {
            assert_eq!(params.get(index as u8), spec.default(), "{}", spec.key);
            assert_eq!(spec.check(&spec.default()), Ok(()), "{}", spec.key);
            assert_eq!(spec.parse(&spec.show(&spec.default())), Ok(spec.default()));
        }
    }

    #[test]
    fn a_value_outside_the_range_or_of_another_kind_changes_nothing() {
        let mut params = TestParams::default();
        let delay = TestParams::index_of("delay").expect("declared above");
        assert!(params.set(delay, &Value::Span(SimSpan::s(3))).is_err());
        assert!(params.set(delay, &Value::Rate(Rate::per_s(3))).is_err());
        let overflow = TestParams::index_of("overflow").expect("declared above");
        assert!(params.set(overflow, &Value::Choice(3)).is_err());
        assert_eq!(params, TestParams::default());
        assert_eq!(params.set(delay, &Value::Span(SimSpan::s(1))), Ok(()));
        assert_eq!(params.delay, SimSpan::s(1));
    }

    #[test]
    fn refusals_name_what_is_allowed() {
        let said = |key: &str, text: &str| spec(key).parse(text).expect_err("refused").to_string();
        assert_eq!(said("delay", "3s"), "`3s` is not allowed here; allowed: 0 to 2s");
        assert_eq!(
            said("overflow", "drop"),
            "`drop` is not allowed here; allowed: block, reject, drop-oldest \
             (did you mean `drop-oldest`?)"
        );
        assert_eq!(
            said("line-rate", "10bit/s"),
            "`10bit/s` is not allowed here; allowed: 1kbit/s to unlimited"
        );
        assert!(said("prefetch", "0").contains("1 to unlimited"));
        assert!(said("queue", "orders,mail").contains("a short word"));
        let seventeen: Vec<String> = (0..17).map(|i| format!("q{i}")).collect();
        assert!(said("queues", &seventeen.join(",")).contains("at most 16 short words"));
        assert!(said("times", "1ms,2ms,3ms,4ms").contains("at most 3 times"));
        assert!(said("times", "2ms,1ms").contains("ascending"));
        assert!(said("queues", "a,a").contains("only once"));
    }

    #[test]
    fn unlimited_is_at_the_right_end_and_zero_at_the_left() {
        let line = spec("line-rate");
        assert_eq!(line.to_position(&Value::BitRate(BitRate::UNLIMITED)), Spec::LAST);
        assert_eq!(line.at_position(Spec::LAST), Value::BitRate(BitRate::UNLIMITED));
        assert_ne!(line.at_position(Spec::LAST - 1), Value::BitRate(BitRate::UNLIMITED));
        assert_eq!(spec("rate").at_position(0), Value::Rate(Rate::ZERO));
        assert_eq!(spec("rate").at_position(1), Value::Rate(Rate(100_000)));
        assert_eq!(spec("prefetch").at_position(Spec::LAST), Value::Amount(Amount(100)));
    }

    #[test]
    fn a_logarithmic_slider_stops_at_two_digits_a_linear_one_at_its_steps() {
        for position in 0..=Spec::LAST {
            let Value::Rate(rate) = spec("rate").at_position(position) else { panic!("a rate") };
            let digits = rate.0.to_string();
            assert!(digits.len() <= 2 || digits[2..].bytes().all(|b| b == b'0'), "{digits}");
            let Value::Span(delay) = spec("delay").at_position(position) else { panic!("a span") };
            assert_eq!(delay.as_ns() % 5_000_000, 0);
        }
        let rate = |n| Value::Rate(Rate::per_s(n));
        assert_eq!(spec("rate").nudge(&rate(36), 1), rate(37));
        assert_eq!(spec("rate").nudge(&rate(100), -1), rate(99));
        assert_eq!(spec("rate").nudge(&rate(100), 2), rate(120));
        assert_eq!(spec("ordered").nudge(&Value::Bool(false), 1), Value::Bool(true));
        assert_eq!(spec("prefetch").nudge(&Value::Amount(Amount(2)), 1), Value::Amount(Amount(3)));
    }

    proptest! {
        #[test]
        fn sliders_are_monotone_stay_inside_and_find_their_way_back(
            a in 0_u32..=1000,
            b in 0_u32..=1000,
        ) {
            for spec in TestParams::SPECS.iter().filter(|spec| spec.has_slider()) {
                let (low, high) = (spec.at_position(a.min(b)), spec.at_position(a.max(b)));
                prop_assert!(low.ordinal() <= high.ordinal(), "{}", spec.key);
                prop_assert_eq!(spec.check(&low), Ok(()));
                // Snapping moves a position, but what it shows stays where it is.
                let again = spec.at_position(spec.to_position(&low));
                let moved = spec.to_position(&again).abs_diff(spec.to_position(&low));
                prop_assert!(moved <= 2, "{}: {:?} became {:?}", spec.key, low, again);
            }
        }

        #[test]
        fn a_value_in_range_survives_text(position in 0_u32..=1000) {
            for spec in TestParams::SPECS.iter().filter(|spec| spec.has_slider()) {
                let value = spec.at_position(position);
                prop_assert_eq!(spec.parse(&spec.show(&value)), Ok(value));
            }
        }
    }

    #[test]
    fn choices_are_parameters() {
        assert_eq!(Overflow::default(), Overflow::Block);
        assert_eq!(Overflow::parse("drop-oldest"), Ok(Overflow::DropOldest));
        assert_eq!(Overflow::from_value(&Value::Choice(1)), Some(Overflow::Reject));
        assert_eq!(Overflow::from_value(&Value::Choice(3)), None);
        assert_eq!(Overflow::Reject.label(Lang::Zh), "拒绝");
    }
}
