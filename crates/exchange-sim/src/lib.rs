//! An HTTP stand-in for the DexScreener API on loopback, with faults on a script.
