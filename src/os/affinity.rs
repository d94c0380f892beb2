//! The cores that processes may use.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Calls `start` while this thread may use every core that its control groups leave it, so that
/// a process which it starts may, too. Afterwards the thread is bound as before.
///
/// # Errors
/// When the kernel refuses; then `start` was not called, or the thread stays unbound.
pub fn on_all_cores<T>(start: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    let mut all = CpuSet::new();
    // The kernel leaves out those that there are not.
    (0..CpuSet::MAX_CPU).for_each(|core| all.set(core));
    sched_setaffinity(None, &all)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    Ok(started)
}

/// Calls `start` while this thread may use these cores alone, so that a process which it starts
/// is bound to them. Afterwards the thread is bound as before.
///
/// # Errors
/// When the thread may use none of them; then `start` was not called, or the thread stays bound.
pub fn on_cores<T>(cores: &[u32], start: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    let mut some = CpuSet::new();
    let cores = cores.iter().filter_map(|core| usize::try_from(*core).ok());
    cores.filter(|core| *core < CpuSet::MAX_CPU).for_each(|core| some.set(core));
    sched_setaffinity(None, &some)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    Ok(started)
}

/// How many cores this thread may use.
///
/// # Errors
/// When the kernel does not say.
pub fn n_cores() -> io::Result<usize> {
    Ok(sched_getaffinity(None)?.count() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_thread_starts_processes_on_all_cores() {
        let all = on_all_cores(|| n_cores().unwrap()).unwrap();
        let before = sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|core| before.is_set(*core)).unwrap();
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).unwrap();
        let (free, bound) = (on_all_cores(|| n_cores().unwrap()).unwrap(), n_cores().unwrap());
        sched_setaffinity(None, &before).unwrap();
        assert_eq!((free, bound), (all, 1));
    }

    #[test]
    fn a_process_is_bound_to_cores_that_there_are() {
        let before = sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|core| before.is_set(*core)).unwrap();
        let bound = on_cores(&[u32::try_from(first).unwrap()], || n_cores().unwrap()).unwrap();
        assert_eq!(bound, 1);
        assert!(on_cores(&[1_000_000], || ()).is_err());
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
