//! The retry budget of one target: how many retries its first tries pay for. When to retry is decided elsewhere.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use ttm_kernel::{InvalidSetting, Moment, SettingChecks};

use crate::reserve::Reserve;

/// One token in the units of the balance: millionths, so that tenths and hundredths add up exactly.
const TOKEN: u64 = 1_000_000;

/// What [`BudgetConfig::try_new`] checks.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetSettings {
    /// Tokens that each first try pays in, to the nearest millionth. A retry costs one, so the default of 0.1 lets
    /// retries add a tenth to the load: enough for a target that fails now and then, too little to keep one down that
    /// fails always.
    pub deposit: f64,
    /// Tokens per second that are available in any case, with a burst of one second's worth (at least one). The default of 3
    /// lets a caller with few calls, whose deposits never add up to a token, still retry.
    pub reserve_per_second: f64,
    /// The most tokens that deposits add up to. Good hours must not pay for a retry storm: with the default of 100, an
    /// outage sees at most a hundred retries over the tenth and the reserve, however good the day was.
    pub cap: u32,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self { deposit: 0.1, reserve_per_second: 3.0, cap: 100 }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BudgetConfig(BudgetSettings);

impl BudgetConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: BudgetSettings) -> Result<Self, Vec<InvalidSetting>> {
        let BudgetSettings { deposit, reserve_per_second, cap } = settings;
        SettingChecks::default()
            .require(
                deposit == 0.0 || (0.000_001..=f64::from(cap.max(1))).contains(&deposit),
                "deposit",
                deposit,
                "0, or from 0.000001 to cap",
            )
            .require(
                reserve_per_second == 0.0 || (0.001..=1_000_000.0).contains(&reserve_per_second),
                "reserve_per_second",
                reserve_per_second,
                "0, or from 0.001 to 1000000",
            )
            .require(cap >= 1, "cap", cap, "at least 1, or no deposit would ever make a token")
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &BudgetSettings {
        &self.0
    }

    /// The deposit and the cap in the units of the balance.
    fn units(&self) -> (u64, u64) {
        (units(self.0.deposit), u64::from(self.0.cap) * TOKEN)
    }
}

/// The retry budget of one target; share it between all of its callers.
///
/// Each first try makes a [`deposit`](Self::deposit); each retry [`withdraw`](Self::withdraw)s one token first, and is not
/// made if there is none. A new budget has its full reserve, and nothing from deposits.
///
/// No method waits for another thread. All accesses to its numbers are relaxed: each number is changed in one atomic step
/// from the value before, none says anything about another, and no other memory is published through them.
#[derive(Debug)]
pub struct RetryBudget {
    balance: AtomicU64,
    deposit: AtomicU64,
    cap: AtomicU64,
    reserve: Reserve,
    exhausted: AtomicU64,
}

impl RetryBudget {
    /// A budget before the first call.
    pub fn new(config: &BudgetConfig) -> Self {
        let (deposit, cap) = config.units();
        Self {
            balance: AtomicU64::new(0),
            deposit: deposit.into(),
            cap: cap.into(),
            reserve: Reserve::new(config.0.reserve_per_second),
            exhausted: AtomicU64::new(0),
        }
    }

    /// Replaces the settings as of `now`.
    ///
    /// The balance is kept, up to the new cap. The time until the reserve is full is kept, up to that of an empty one at the
    /// new rate. A withdrawn token goes back as one token. A deposit that overlaps with the change may leave the balance above
    /// a lower cap, until the next deposit.
    pub fn reconfigure(&self, config: &BudgetConfig, now: Moment) {
        let (deposit, cap) = config.units();
        self.deposit.store(deposit, Relaxed);
        self.cap.store(cap, Relaxed);
        self.balance.fetch_min(cap, Relaxed);
        self.reserve.reconfigure(config.0.reserve_per_second, now);
    }

    /// A first try is made. Call it once for each call, not for each attempt.
    ///
    /// While the balance stands at the cap, which is how a healthy target's stands, this is one load, and the processors
    /// share the line that holds it.
    #[inline]
    pub fn deposit(&self) {
        self.pay_in(self.deposit.load(Relaxed));
    }

    /// Takes the token for one retry: from the deposits, or else from the reserve; none if both are empty.
    ///
    /// Take it before the sleep that precedes the retry, so that those asleep are counted; a retry that is then not made
    /// gives its token back, see [`Withdrawal`].
    pub fn withdraw(&self, now: Moment) -> Option<Withdrawal<'_>> {
        let deposited =
            self.balance.try_update(Relaxed, Relaxed, |balance| balance.checked_sub(TOKEN)).is_ok();
        let source = if deposited {
            Source::Deposits
        } else if self.reserve.take(now) {
            Source::Reserve
        } else {
            self.exhausted.fetch_add(1, Relaxed);
            return None;
        };
        Some(Withdrawal { budget: self, source })
    }

    /// The tokens from deposits, without the reserve.
    pub fn balance(&self) -> f64 {
        self.balance.load(Relaxed) as f64 / TOKEN as f64
    }

    /// Withdrawals that were refused so far.
    pub fn exhausted_total(&self) -> u64 {
        self.exhausted.load(Relaxed)
    }

    /// Pays in what fits under the cap.
    #[inline]
    fn pay_in(&self, amount: u64) {
        let cap = self.cap.load(Relaxed);
        // The first look is a load, and the last when nothing fits. The amount and the cap are applied to the very value
        // that is replaced, so no race loses a deposit or carries the balance over the cap.
        let _unchanged = self.balance.try_update(Relaxed, Relaxed, |balance| {
            let paid_in = (balance + amount).min(cap);
            (paid_in != balance).then_some(paid_in)
        });
    }
}

/// Tokens in the units of the balance.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to u32::MAX tokens")]
fn units(tokens: f64) -> u64 {
    (tokens * TOKEN as f64).round() as u64
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// First tries paid for it.
    Deposits,
    /// The reserve, which time refills.
    Reserve,
}

/// One token, taken for a retry that is about to be made.
///
/// [`spend`](Self::spend) it when the retry is made. Dropped unspent, it goes back to where it came from: the caller was
/// cancelled in its sleep, or the breaker said no. What is full in the meantime (deposits at the cap, the reserve at its
/// burst) stays full, and the token is gone. One that is forgotten counts as spent.
#[derive(Debug)]
#[must_use = "a withdrawal that is dropped unspent is paid back"]
pub struct Withdrawal<'a> {
    budget: &'a RetryBudget,
    source: Source,
}

impl Withdrawal<'_> {
    /// The retry is made.
    pub fn spend(self) {
        // It owns nothing, so all that is left out is the refund.
        std::mem::forget(self);
    }

    /// Where it came from. A target whose retries live on the reserve fails more than it pays for.
    pub const fn source(&self) -> Source {
        self.source
    }
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        match self.source {
            Source::Deposits => self.budget.pay_in(TOKEN),
            Source::Reserve => self.budget.reserve.put_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A budget without a reserve.
    fn deposits_only(deposit: f64, cap: u32) -> RetryBudget {
        let settings = BudgetSettings { deposit, reserve_per_second: 0.0, cap };
        RetryBudget::new(&BudgetConfig::try_new(settings).expect("within bounds"))
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(BudgetConfig::try_new(BudgetSettings::default()), Ok(BudgetConfig::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once_with_its_value_and_bound() {
        let settings = BudgetSettings { deposit: f64::NAN, reserve_per_second: -1.0, cap: 0 };
        let errors = BudgetConfig::try_new(settings).expect_err("all of these are wrong");
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let expected = [
            "deposit is NaN: it must be 0, or from 0.000001 to cap",
            "reserve_per_second is -1.0: it must be 0, or from 0.001 to 1000000",
            "cap is 0: it must be at least 1, or no deposit would ever make a token",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn numbers_that_are_none_or_out_of_reach_are_refused() {
        let refused = |settings| BudgetConfig::try_new(settings).is_err();
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 1e-9, f64::MIN_POSITIVE, 1e12] {
            assert!(refused(BudgetSettings { deposit: wrong, ..BudgetSettings::default() }), "{wrong}");
            let settings = BudgetSettings { reserve_per_second: wrong, ..BudgetSettings::default() };
            assert!(refused(settings), "{wrong}");
        }
        assert!(refused(BudgetSettings { deposit: 2.5, cap: 2, ..BudgetSettings::default() }));
        for right in [-0.0, 0.0, 0.000_001, 100.0] {
            assert!(!refused(BudgetSettings { deposit: right, ..BudgetSettings::default() }), "{right}");
        }
    }

    #[test]
    fn ten_first_tries_pay_for_one_retry() {
        let budget = deposits_only(0.1, 100);
        for _ in 0..9 {
            budget.deposit();
        }
        assert!(budget.withdraw(Moment::ZERO).is_none());
        assert_eq!(budget.exhausted_total(), 1);
        budget.deposit();
        let withdrawal = budget.withdraw(Moment::ZERO).expect("a whole token");
        assert_eq!(withdrawal.source(), Source::Deposits);
        withdrawal.spend();
        assert!(budget.withdraw(Moment::MAX).is_none());
        assert_eq!(budget.exhausted_total(), 2);
    }

    #[test]
    fn deposits_pile_up_to_the_cap_and_exactly_to_it() {
        for (deposit, cap) in [(0.1, 2), (0.3, 1), (1.0, 3), (5.0, 5), (f64::from(u32::MAX), u32::MAX)] {
            let budget = deposits_only(deposit, cap);
            for _ in 0..100 {
                budget.deposit();
                assert!(budget.balance() <= f64::from(cap));
            }
            assert_eq!(budget.balance().to_bits(), f64::from(cap).to_bits(), "{deposit} up to {cap}");
        }
    }

    #[test]
    fn the_reserve_is_touched_only_when_the_deposits_are_used_up() {
        let budget = RetryBudget::new(&BudgetConfig::default());
        for _ in 0..10 {
            budget.deposit();
        }
        let held: Vec<_> = std::iter::from_fn(|| budget.withdraw(Moment::ZERO)).collect();
        let sources: Vec<_> = held.iter().map(Withdrawal::source).collect();
        assert_eq!(sources, [Source::Deposits, Source::Reserve, Source::Reserve, Source::Reserve]);
    }

    #[test]
    fn what_is_dropped_unspent_goes_back_to_where_it_came_from() {
        let budget = RetryBudget::new(&BudgetConfig::default());
        for _ in 0..10 {
            budget.deposit();
        }
        for _ in 0..1000 {
            let held: Vec<_> = std::iter::from_fn(|| budget.withdraw(Moment::ZERO)).collect();
            assert_eq!(held.len(), 4);
        }
        assert_eq!(budget.balance().to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn a_refund_does_not_lift_the_balance_over_the_cap() {
        let budget = deposits_only(1.0, 1);
        budget.deposit();
        let withdrawal = budget.withdraw(Moment::ZERO);
        budget.deposit();
        drop(withdrawal);
        assert_eq!(budget.balance().to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn without_deposits_the_reserve_alone_pays() {
        let settings = BudgetSettings { deposit: 0.0, reserve_per_second: 1.0, cap: 1 };
        let budget = RetryBudget::new(&BudgetConfig::try_new(settings).expect("within bounds"));
        budget.deposit();
        assert_eq!(budget.withdraw(Moment::ZERO).map(|w| w.source()), Some(Source::Reserve));
        assert_eq!(budget.balance().to_bits(), 0);
    }
}
