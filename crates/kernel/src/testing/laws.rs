//! How a suite runs the laws of a port: all of them, whatever the ones before said, and one report of those that do not hold, with
//! what was expected and what was got. A law says that it does not hold by panicking, as do the calls that it makes.

use std::any::Any;
use std::fmt::{self, Debug, Display};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The verdict on an implementation of a port, law by law.
///
/// ```
/// use ttm_kernel::testing::{Laws, expect};
///
/// async fn two_and_two_are_four() {
///     expect("the sum", 4, 2 + 2);
/// }
///
/// async fn three_is_even() {
///     expect("the remainder", 0, 3 % 2);
/// }
///
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let suite = async {
/// let mut laws = Laws::of("Arithmetic");
/// ttm_kernel::check_laws!(laws: two_and_two_are_four(), three_is_even());
/// assert_eq!(laws.broken(), ["three_is_even"]);
/// let report = "Arithmetic: 1 of 2 laws does not hold\n\
///               - three is even: the remainder: expected 0, got 1";
/// assert_eq!(laws.to_string(), report);
/// # };
/// # assert!(std::pin::pin!(suite).poll(&mut context).is_ready());
/// ```
#[derive(Debug)]
pub struct Laws {
    port: &'static str,
    checked: Vec<Verdict>,
}

#[derive(Debug)]
struct Verdict {
    law: &'static str,
    /// Why the law does not hold.
    broken: Option<String>,
}

/// Checks laws one after the other, each under the name of its function. Those behind `now` wait for nothing.
#[macro_export]
macro_rules! check_laws {
    ($laws:ident now: $($law:ident($($argument:expr),* $(,)?)),+ $(,)?) => {
        $($laws.check_now(stringify!($law), || {
            $law($($argument),*);
        });)+
    };
    ($laws:ident: $($law:ident($($argument:expr),* $(,)?)),+ $(,)?) => {
        // Boxed, since the suite would be as large as all of its laws.
        $($laws.check(stringify!($law), ::std::boxed::Box::pin($law($($argument),*))).await;)+
    };
}

impl Laws {
    /// The laws of this port; none is checked yet.
    pub const fn of(port: &'static str) -> Self {
        Self { port, checked: Vec::new() }
    }

    /// Checks one law to its end, or until it panics.
    pub async fn check(&mut self, law: &'static str, run: impl Future<Output = ()>) {
        let mut run = pin!(run);
        let broken = poll_fn(|context| {
            // What a panic leaves behind is the implementation's; no other law looks at this future.
            match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context))) {
                Ok(Poll::Ready(())) => Poll::Ready(None),
                Ok(Poll::Pending) => Poll::Pending,
                Err(panic) => Poll::Ready(Some(said(panic.as_ref()))),
            }
        })
        .await;
        self.checked.push(Verdict { law, broken });
    }

    /// Checks a law that waits for nothing.
    pub fn check_now(&mut self, law: &'static str, run: impl FnOnce()) {
        let broken = catch_unwind(AssertUnwindSafe(run)).err().map(|panic| said(panic.as_ref()));
        self.checked.push(Verdict { law, broken });
    }

    /// Every law that was checked.
    pub fn checked(&self) -> Vec<&'static str> {
        self.checked.iter().map(|verdict| verdict.law).collect()
    }

    /// Those that do not hold.
    pub fn broken(&self) -> Vec<&'static str> {
        self.checked.iter().filter(|verdict| verdict.broken.is_some()).map(|verdict| verdict.law).collect()
    }

    /// Panics with the report unless all hold.
    #[track_caller]
    pub fn assert_hold(&self) {
        assert!(!self.checked.is_empty(), "{}: no law was checked", self.port);
        assert!(self.broken().is_empty(), "{self}");
    }
}

impl Display for Laws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (port, all, broken) = (self.port, self.checked.len(), self.broken().len());
        match broken {
            0 => return write!(f, "{port}: all {all} laws hold"),
            1 => write!(f, "{port}: 1 of {all} laws does not hold")?,
            _ => write!(f, "{port}: {broken} of {all} laws do not hold")?,
        }
        for Verdict { law, broken } in &self.checked {
            if let Some(why) = broken {
                write!(f, "\n- {}: {why}", law.replace('_', " "))?;
            }
        }
        Ok(())
    }
}

/// Holds a suite against implementations with one fault each, `none` being the one without: `judge` runs the suite on it. Each fault is
/// noticed by exactly the laws beside it, and each law notices one: so a law that is deleted, or checks nothing any more, is missed.
///
/// # Panics
///
/// With every fault that is noticed by other laws, or with the laws that notice none.
#[track_caller]
pub fn assert_noticed<F: Copy + Debug>(none: F, faults: &[(F, &[&str])], judge: impl Fn(F) -> Laws) {
    let sound = judge(none);
    sound.assert_hold();
    let unlike = faults.iter().filter_map(|(fault, expected)| {
        let laws = judge(*fault);
        let is_noticed = laws.broken() == *expected;
        (!is_noticed).then(|| format!("\n{fault:?}: expected {expected:?} to notice it, got {laws}"))
    });
    let unlike: String = unlike.collect();
    assert!(unlike.is_empty(), "{unlike}");
    let notices = |law: &&str| faults.iter().any(|(_, laws)| laws.contains(law));
    let idle: Vec<&str> = sound.checked().into_iter().filter(|law| !notices(law)).collect();
    assert!(idle.is_empty(), "no fault is noticed by {idle:?}");
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    compared(text).unwrap_or_else(|| text.to_owned())
}

/// What an assertion of equality says, which here has what it got on its left.
fn compared(text: &str) -> Option<String> {
    let rest = text.strip_prefix("assertion `left == right` failed")?;
    let (what, values) = rest.split_once("\n  left: ")?;
    let (got, expected) = values.split_once("\n right: ")?;
    let what = what.strip_prefix(": ").map_or(String::new(), |what| format!("{what}: "));
    Some(format!("{what}expected {}, got {}", cut(expected), cut(got)))
}

/// The most characters of a value that a report shows.
const SHOWN: usize = 600;

/// A value that may be a batch of thousands.
fn shown(value: &dyn Debug) -> String {
    cut(&format!("{value:?}"))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

/// Panics unless `got` is what was expected; `what` says of what the two are values.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "it reads like an assertion, also of what a call returned")]
pub fn expect<E: Debug, G: Debug + PartialEq<E>>(what: impl Display, expected: E, got: G) {
    assert!(got == expected, "{what}: expected {}, got {}", shown(&expected), shown(&got));
}

/// What a call returned that should work.
#[track_caller]
pub fn works<T, E: Debug>(call: impl Display, outcome: Result<T, E>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("{call}: expected it to work, got {}", shown(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    async fn a_law_that_holds() {}

    async fn a_law_that_does_not() {
        let refused: Result<(), &str> = Err("gone");
        works("append", refused);
    }

    async fn a_law_of_long_values() {
        expect("values", vec!['x'; 1_000], Vec::<char>::new());
    }

    async fn a_law_whose_store_panics() {
        std::panic::panic_any(7);
    }

    async fn a_law_of_two_assertions() {
        assert_eq!("4".len(), 1);
        assert_eq!("4".parse(), Ok(5), "the number");
    }

    fn checked() -> Laws {
        let mut laws = Laws::of("Port");
        let suite = async {
            check_laws!(laws: a_law_that_does_not(), a_law_that_holds(), a_law_of_long_values(), a_law_of_two_assertions(), a_law_whose_store_panics());
        };
        assert!(pin!(suite).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        laws
    }

    #[test]
    fn every_law_is_checked_and_every_broken_one_reported() {
        let laws = checked();
        assert_eq!(laws.checked().len(), 5);
        let report = laws.to_string();
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines[0], "Port: 4 of 5 laws do not hold");
        assert_eq!(lines[1], "- a law that does not: append: expected it to work, got \"gone\"");
        assert!(lines[2].starts_with("- a law of long values: values: expected ['x', 'x', "), "{report}");
        assert!(lines[2].ends_with("'x',… (5000 bytes), got []") && lines[2].len() < 800, "{report}");
        assert_eq!(lines[3], "- a law of two assertions: the number: expected Ok(5), got Ok(4)");
        assert_eq!(lines[4], "- a law whose store panics: it panicked");
    }

    #[test]
    #[should_panic(expected = "4 of 5 laws do not hold")]
    fn a_report_of_broken_laws_is_a_panic() {
        checked().assert_hold();
    }

    /// Two laws of numbers.
    fn judged(fault: u8) -> Laws {
        async fn it_is_even(fault: u8) {
            expect("the remainder", 0, fault % 2);
        }
        async fn it_is_small(fault: u8) {
            assert!(fault < 3, "expected it below 3, got {fault}");
        }
        let mut laws = Laws::of("Port");
        let suite = async {
            check_laws!(laws: it_is_even(fault), it_is_small(fault));
        };
        assert!(pin!(suite).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        laws
    }

    #[test]
    fn a_fault_is_noticed_by_the_laws_beside_it() {
        assert_noticed(0, &[(1, &["it_is_even"]), (4, &["it_is_small"])], judged);
        assert_noticed(2, &[(5, &["it_is_even", "it_is_small"])], judged);
    }

    #[test]
    #[should_panic(expected = "2: expected [\"it_is_even\"] to notice it, got Port: all 2 laws hold")]
    fn a_fault_that_no_law_notices_is_missed() {
        assert_noticed(0, &[(2, &["it_is_even"]), (4, &["it_is_small"])], judged);
    }

    #[test]
    #[should_panic(expected = "5: expected [\"it_is_even\"] to notice it, got Port: 2 of 2 laws do not hold")]
    fn a_fault_that_another_law_notices_too_is_told() {
        assert_noticed(0, &[(5, &["it_is_even"])], judged);
    }

    #[test]
    #[should_panic(expected = "no fault is noticed by [\"it_is_small\"]")]
    fn a_law_that_notices_no_fault_is_missed() {
        assert_noticed(0, &[(1, &["it_is_even"])], judged);
    }

    #[test]
    #[should_panic(expected = "1 of 2 laws does not hold")]
    fn what_has_no_fault_obeys_every_law() {
        assert_noticed(4, &[], judged);
    }

    #[test]
    #[should_panic(expected = "no law was checked")]
    fn a_suite_without_laws_proves_nothing() {
        Laws::of("Port").assert_hold();
    }
}
