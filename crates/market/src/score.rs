//! The hybrid momentum score: arithmetic only. It does not know where its inputs come from.

/// Sums over the pools that count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScoreInputs {
    /// Buys of the last five minutes.
    pub buys_5m: f64,
    /// Sells of the last five minutes.
    pub sells_5m: f64,
    /// Trades of the last hour, both sides.
    pub trades_1h: f64,
    /// Trades of the last five minutes, both sides.
    pub trades_5m: f64,
    /// Volume of the last five minutes, US dollars.
    pub volume_5m_usd: f64,
    /// Volume of the last hour, US dollars.
    pub volume_1h_usd: f64,
    /// Liquidity, US dollars.
    pub liquidity_usd: f64,
}

/// The four parts of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Components {
    /// Acceleration of the trade count, 0 to 10.
    pub tx_accel: f64,
    /// Momentum of the volume, 0 to 15.
    pub vol_momentum: f64,
    /// 1 for a new token, 0 from six hours on.
    pub freshness: f64,
    /// Buyers against sellers, −1 to 1.
    pub orderflow: f64,
}

/// A score as computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Its parts.
    pub components: Components,
    /// A quarter of each, rounded to six decimals.
    pub value: f64,
}

/// A score after smoothing: each part and the value by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Smoothed {
    /// Smoothed parts.
    pub components: Components,
    /// Smoothed value.
    pub value: f64,
}
