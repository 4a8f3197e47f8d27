//! How a step of the simulation can end early.

/// Not an error of the simulator: what happened instead of the step's result.
#[derive(Debug)]
pub enum Halt {
    /// The machine died (as the seed wanted); the world goes on with a restart.
    Crashed,
    /// A rule is broken: the seed fails.
    Violation(String),
    /// The seed ends here, rightly: rot was found and the operator is asked.
    Ended(String),
}

/// A step of the simulation.
pub type Run<T> = Result<T, Halt>;

/// Shorthand for a broken rule.
pub fn violation<T>(text: impl Into<String>) -> Run<T> {
    Err(Halt::Violation(text.into()))
}

/// Fails with a violation unless `holds`.
#[macro_export]
macro_rules! must {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err($crate::outcome::Halt::Violation(format!($($text)*)));
        }
    };
}
