//! The last events of a seed, kept for the case that it fails; all of them are printed under `TRACE=1`.

use std::cell::RefCell;
use std::collections::VecDeque;

const LINES_KEPT: usize = 80;

thread_local! {
    static LINES: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
    static PRINT: RefCell<bool> = const { RefCell::new(false) };
}

/// Forgets the lines of the seed before.
pub fn begin(print: bool) {
    LINES.with(|lines| lines.borrow_mut().clear());
    PRINT.with(|flag| *flag.borrow_mut() = print);
}

/// True under `TRACE=1`.
pub fn prints() -> bool {
    PRINT.with(|flag| *flag.borrow())
}

/// Adds a line.
pub fn line(text: String) {
    if prints() {
        println!("{text}");
    }
    // Lines come from the panic hook too, which may run while the list is borrowed.
    LINES.with(|lines| {
        let Ok(mut lines) = lines.try_borrow_mut() else { return };
        lines.push_back(text);
        if lines.len() > LINES_KEPT {
            lines.pop_front();
        }
    });
}

/// The last lines, one text.
pub fn tail() -> String {
    LINES.with(|lines| lines.borrow().iter().map(|line| format!("    {line}\n")).collect())
}

/// Adds a formatted line.
#[macro_export]
macro_rules! trace {
    ($($text:tt)*) => { $crate::trace::line(format!($($text)*)) };
}

/// The newest line about a panic.
pub fn last_panic() -> String {
    let found = LINES.with(|lines| lines.borrow().iter().rev().find(|line| line.starts_with("PANIC")).cloned());
    found.unwrap_or_else(|| "PANIC".to_string())
}

/// Panics of the product become lines; the seed's outcome tells of them.
pub fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| line(format!("PANIC {panic}").replace('\n', " "))));
}
