//! The budget as specified: an account with a cap, and a leaky bucket of debts. One thread, wide
//! signed integers, and written without a look at the real one.

use ttm_kernel::Moment;

use crate::{BudgetSettings, Source};

const TOKEN: i128 = 1_000_000;

/// The reference model of a [`RetryBudget`](crate::RetryBudget).
#[derive(Clone, Debug)]
pub struct BudgetModel {
    settings: BudgetSettings,
    /// Millionths of tokens from deposits.
    balance: i128,
    /// Nanoseconds that time still has to pay, as seen at `looked`.
    debt: i128,
    looked: i128,
    exhausted: u64,
}

impl BudgetModel {
    /// The model of a new budget with these settings, which must be valid.
    pub const fn new(settings: BudgetSettings) -> Self {
        Self { settings, balance: 0, debt: 0, looked: 0, exhausted: 0 }
    }

    /// A first try is made.
    #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX tokens")]
    pub fn deposit(&mut self) {
        self.pay_in((self.settings.deposit * 1e6).round() as i128);
    }

    /// The source of the token, if one is available.
    pub fn withdraw(&mut self, now: Moment) -> Option<Source> {
        if self.balance >= TOKEN {
            self.balance -= TOKEN;
            return Some(Source::Deposits);
        }
        if self.borrow(i128::from(now.as_nanos())) {
            return Some(Source::Reserve);
        }
        self.exhausted += 1;
        None
    }

    /// Replaces the settings, which must be valid.
    pub fn reconfigure(&mut self, settings: BudgetSettings, now: Moment) {
        self.settings = settings;
        self.balance = self.balance.min(i128::from(self.settings.cap) * TOKEN);
        let now = i128::from(now.as_nanos());
        // The debt as of now, which for an older look is a larger one.
        self.debt -= now - self.looked;
        self.looked = now;
        self.debt = self.debt.min(self.depth());
    }

    /// A token is dropped unspent.
    pub fn refund(&mut self, source: Source) {
        match source {
            Source::Deposits => self.pay_in(TOKEN),
            // A debt below nothing is nothing at the next look.
            Source::Reserve => self.debt -= self.price(),
        }
    }

    /// What the budget's balance must show.
    pub fn balance(&self) -> f64 {
        self.balance as f64 / 1e6
    }

    /// What its counter must show.
    pub const fn exhausted_total(&self) -> u64 {
        self.exhausted
    }

    /// Tokens that a full reserve holds.
    pub fn burst(&self) -> f64 {
        let rate = self.settings.reserve_per_second;
        if rate == 0.0 { 0.0 } else { rate.floor().max(1.0) }
    }

    fn pay_in(&mut self, amount: i128) {
        self.balance = (self.balance + amount).min(i128::from(self.settings.cap) * TOKEN);
    }

    /// Borrows one token's time, if the debt then is no more than the burst, and can be paid before the end of time.
    fn borrow(&mut self, now: i128) -> bool {
        if self.burst() == 0.0 {
            return false;
        }
        // An older look sees a larger debt.
        let debt = (self.debt - (now - self.looked)).max(0) + self.price();
        if debt > self.depth() || now + debt > i128::from(u64::MAX) {
            return false;
        }
        (self.debt, self.looked) = (debt, now);
        true
    }

    /// Nanoseconds that time has to pay for an empty reserve.
    #[expect(clippy::cast_possible_truncation, reason = "at most 1e6")]
    fn depth(&self) -> i128 {
        // At no tokens a second nothing is ever owed.
        if self.burst() == 0.0 { 0 } else { self.burst() as i128 * self.price() }
    }

    /// Nanoseconds that one token costs: never less than the rate allows.
    #[expect(clippy::cast_possible_truncation, reason = "at most 1e12")]
    fn price(&self) -> i128 {
        if self.burst() == 0.0 { 1 } else { (1e9 / self.settings.reserve_per_second).ceil() as i128 }
    }
}
