//! The simulator: the production composition on a virtual clock under seeded faults.
