//! `lp` outside, its workers in containers.
