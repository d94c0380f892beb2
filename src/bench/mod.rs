//! A benchmark as plain data: which configurations are measured, in which order, how often, and
//! which of their runs belong together.
//!
//! An *axis* is a setting with several values, a *matrix* is some axes, and a *combination* takes one
//! value of each. A *cell* is one combination on one machine; it is measured by *repeats*. All
//! cells are measured once per *round*, in an order that is shuffled anew for each, so that whatever
//! drifts meets all of them alike. Two runs of different cells that are neighbours in time are a
//! *pair*.
//!
//! Pure. Not here: opening projects and reading the store (`workspace::bench`), running
//! (`cli::bench`), and comparing (`record::comparison`).

pub mod enough;
pub mod matrix;
pub mod order;
pub mod pairs;
