//! The PairSource port over the DexScreener HTTP API.
