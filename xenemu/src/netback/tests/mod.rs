//! Netback against frontends, polite and hostile: [`bed`] is the frontend, [`life`] of a vif, what it [`transmit`]s
//! and [`receive`]s, and what [`hostile`] ones may do.

mod bed;
mod hostile;
mod life;
mod receive;
mod transmit;
