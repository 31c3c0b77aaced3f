//! How a quantity spreads about its mean.

use crate::kernel::random::Law;

choices! {
    /// The law of a random span: its mean and its variation are parameters of their own.
    pub enum Spread {
        /// Always the mean.
        Constant = "constant" ("constant", "固定"),
        /// Memoryless; the variation is 100 % whatever is set.
        Exponential = "exponential" ("exponential", "指数分布"),
        /// Equally likely on an interval about the mean; variation up to 57.7 %.
        Uniform = "uniform" ("uniform", "均匀分布"),
        /// The logarithm is normal: a long right tail.
        LogNormal = "log-normal" ("log-normal", "对数正态"),
        /// A power law: rare, very long values.
        Pareto = "pareto" ("Pareto", "帕累托"),
        /// A sum of k exponential stages, k = 1 / variation², at most 64.
        Erlang = "erlang" ("Erlang", "爱尔朗"),
        /// Two exponentials with balanced means; variation of at least 100 %.
        HyperExponential = "hyper-exponential" ("hyper-exponential", "超指数"),
    }
}

impl Spread {
    /// The kernel's law of the same name.
    pub fn law(self) -> Law {
        match self {
            Spread::Constant => Law::Constant,
            Spread::Exponential => Law::Exponential,
            Spread::Uniform => Law::Uniform,
            Spread::LogNormal => Law::LogNormal,
            Spread::Pareto => Law::Pareto,
            Spread::Erlang => Law::Erlang,
            Spread::HyperExponential => Law::HyperExponential,
        }
    }
}
