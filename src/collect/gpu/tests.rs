//! Machines made by hand, after the documents that the files of this folder name.

use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};

use super::super::tests::{Tree, sampled};
use super::*;

/// A second.
const S: u64 = 1_000_000_000;

/// `lp` is 100, its worker 200, a stranger 400.
fn machine(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::of(files);
    for (pid, parent) in [(1, 0), (100, 1), (200, 100), (400, 1)] {
        process(&tree, pid, parent);
    }
    tree
}

fn process(tree: &Tree, pid: u32, parent: u32) {
    let stat = format!("{pid} (a b) S {parent} 1 1 0 -1 4194560 1 2 3 4 0 0 0 0 20 0 1 0 7 1 2\n");
    tree.write(&format!("proc/{pid}/stat"), &stat);
    std::fs::create_dir_all(tree.root().join(format!("proc/{pid}/fd"))).unwrap();
}

/// An open file of a process.
fn open(tree: &Tree, pid: u32, fd: u32, path: &str, fdinfo: &str) {
    let link = tree.root().join(format!("proc/{pid}/fd/{fd}"));
    let _ = std::fs::remove_file(&link);
    symlink(path, link).unwrap();
    tree.write(&format!("proc/{pid}/fdinfo/{fd}"), &format!("pos:\t0\nflags:\t0100002\n{fdinfo}"));
}

fn begin(tree: &Tree) -> GpuSampler {
    GpuSampler::below(&Place { root: tree.root(), lp: 100, workers: &[200], collectors: &[] }).unwrap()
}

/// Everything after `seconds` seconds more.
#[track_caller]
fn check(sampler: &mut GpuSampler, tree: &Tree, seconds: u64, expect: Expect) {
    let began_ns = sampler.at_ns + (seconds - 1) * S;
    expect.assert_eq(&sampled(sampler, began_ns, tree));
}

const I915: [(&str, &str); 4] = [
    ("sys/class/drm/card1/device/uevent", "DRIVER=i915\nPCI_SLOT_NAME=0000:00:02.0\n"),
    ("sys/class/drm/card1/device/drm/renderD128/dev", "226:128\n"),
    ("sys/class/drm/card1/engine/rcs0/name", "rcs0\n"),
    ("sys/class/drm/card1/engine/vcs1/name", "vcs1\n"),
];

fn i915(id: u32, render: u64, video: u64) -> String {
    format!(
        "drm-driver:\ti915\ndrm-client-id:\t{id}\ndrm-pdev:\t0000:00:02.0\ndrm-resident-system0:\t4 KiB\n\
         drm-engine-render:\t{render} ns\ndrm-engine-video:\t{video} ns\ndrm-engine-capacity-video:\t2\n"
    )
}

const NODE: &str = "/dev/dri/renderD128";

#[test]
fn a_gpu_without_clients_does_nothing() {
    let tree = machine(&I915);
    tree.write("sys/class/drm/card1/gt_act_freq_mhz", "0\n");
    let mut sampler = begin(&tree);
    tree.write("sys/class/drm/card1/gt_act_freq_mhz", "1300\n");
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own 0 1
            gpu.card1.video.own 0 1
            gpu.card1.render.foreign 0 1
            gpu.card1.video.foreign 0 1
            gpu.card1.frequency 1300000000 Hz
            gpu.card1.power: its driver has no counter of energy (usual for a GPU in the CPU's package, whose power is part of `power.package-0`)
        "#]],
    );
}

#[test]
fn engines_are_divided_among_the_run_and_others() {
    let tree = machine(&I915);
    open(&tree, 200, 5, NODE, &i915(1, 0, S));
    open(&tree, 200, 6, "/usr/lib/x.so", "");
    open(&tree, 400, 9, "/dev/dri/card1", &i915(2, 5 * S, 7 * S));
    let mut sampler = begin(&tree);
    // A second open file of the same client, which a script has got as well.
    process(&tree, 300, 100);
    for (pid, fd) in [(200, 5), (200, 8), (300, 3)] {
        open(&tree, pid, fd, NODE, &i915(1, S / 4, S + S));
    }
    open(&tree, 400, 9, "/dev/dri/card1", &i915(2, 5 * S + S / 10, 7 * S));
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own 0.25 1
            gpu.card1.video.own 0.5 1
            gpu.card1.memory.system0.own 4096 By
            gpu.card1.render.foreign 0.1 1
            gpu.card1.video.foreign 0 1
            gpu.card1.frequency: failed to read `/sys/class/drm/card1/gt_act_freq_mhz`: No such file or directory (os error 2)
            gpu.card1.power: its driver has no counter of energy (usual for a GPU in the CPU's package, whose power is part of `power.package-0`)
        "#]],
    );
    sampler.missing.clear();
    // The others are looked at every ten seconds.
    open(&tree, 200, 5, NODE, &i915(1, S / 4, 3 * S));
    open(&tree, 400, 9, "/dev/dri/card1", &i915(2, 6 * S, 7 * S));
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own 0 1
            gpu.card1.video.own 0.5 1
            gpu.card1.memory.system0.own 4096 By
            gpu.card1.render.foreign unknown 1
            gpu.card1.video.foreign unknown 1
        "#]],
    );
    open(&tree, 400, 9, "/dev/dri/card1", &i915(2, 5 * S + S / 10 + 5 * S, 7 * S));
    check(
        &mut sampler,
        &tree,
        9,
        expect![[r#"
            gpu.card1.render.own 0 1
            gpu.card1.video.own 0 1
            gpu.card1.memory.system0.own 4096 By
            gpu.card1.render.foreign 0.5 1
            gpu.card1.video.foreign 0 1
        "#]],
    );
}

#[test]
fn a_worker_in_a_container_is_known_by_its_mark() {
    let tree = machine(&I915);
    process(&tree, 500, 1);
    tree.write("proc/500/environ", "A=b\0LP_PROCESS=worker of 100\0");
    open(&tree, 500, 5, NODE, &i915(1, 0, 0));
    let mut sampler = begin(&tree);
    sampler.missing.clear();
    open(&tree, 500, 5, NODE, &i915(1, S / 2, 0));
    let began_ns = sampler.at_ns;
    let text = sampled(&mut sampler, began_ns, &tree);
    assert!(text.starts_with("gpu.card1.render.own 0.5 1\n"), "{text}");
    assert!(text.contains("gpu.card1.render.foreign 0 1\n"), "{text}");
}

#[test]
fn a_recorded_process_may_lack_its_links() {
    let tree = machine(&I915);
    tree.write("proc/700/fdinfo/4", &i915(9, 0, 0));
    tree.write("proc/700/fdinfo/5", "pos:\t0\n");
    let mut sampler = begin(&tree);
    tree.write("proc/700/fdinfo/4", &i915(9, S / 2, 0));
    let began_ns = sampler.at_ns;
    let text = sampled(&mut sampler, began_ns, &tree);
    assert!(text.contains("gpu.card1.render.foreign 0.5 1\n"), "{text}");
    assert!(!text.contains("counts nothing"), "{text}");
}

#[test]
fn a_client_without_counters_makes_the_share_unknown() {
    let tree = machine(&I915);
    let mut sampler = begin(&tree);
    sampler.missing.clear();
    // As before Linux 5.19.
    open(&tree, 200, 5, NODE, "");
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own unknown 1
            gpu.card1.video.own unknown 1
            gpu.card1.render.foreign 0 1
            gpu.card1.video.foreign 0 1
            gpu.card1.own: a program uses it, and its driver counts nothing in `/proc/PID/fdinfo`: i915 and amdgpu do so since Linux 5.19, xe since 6.11
        "#]],
    );
}

#[test]
fn a_client_that_cannot_be_read_for_once_makes_the_share_unknown() {
    let tree = machine(&I915);
    open(&tree, 200, 5, NODE, &i915(1, 0, 0));
    let mut sampler = begin(&tree);
    sampler.missing.clear();
    std::fs::remove_file(tree.root().join("proc/200/fdinfo/5")).unwrap();
    std::fs::create_dir(tree.root().join("proc/200/fdinfo/5")).unwrap();
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own unknown 1
            gpu.card1.video.own unknown 1
            gpu.card1.render.foreign 0 1
            gpu.card1.video.foreign 0 1
            gpu.own: the open files of 1 of the run's processes cannot be read
        "#]],
    );
}

#[test]
fn numbers_that_overflow_are_unknown() {
    let tree = machine(&I915);
    let client = |id: u32| i915(id, 0, 0).replace("4 KiB", &u64::MAX.to_string());
    open(&tree, 200, 5, NODE, &client(1));
    open(&tree, 200, 6, NODE, &client(2));
    let mut sampler = begin(&tree);
    let video = format!("drm-engine-video:\t{} ns\n", u64::MAX);
    open(&tree, 200, 5, NODE, &(client(1) + &video + &video));
    sampler.missing.clear();
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own 0 1
            gpu.card1.video.own unknown 1
            gpu.card1.memory.system0.own unknown By
            gpu.card1.render.foreign 0 1
            gpu.card1.video.foreign 0 1
        "#]],
    );
}

#[test]
fn processes_that_are_hidden_make_the_share_of_others_unknown() {
    let tree = machine(&I915);
    std::fs::remove_dir_all(tree.root().join("proc/1")).unwrap();
    let mut sampler = begin(&tree);
    sampler.missing.clear();
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card1.render.own 0 1
            gpu.card1.video.own 0 1
            gpu.card1.render.foreign unknown 1
            gpu.card1.video.foreign unknown 1
            gpu.foreign: `/proc` shows only processes of this user (`hidepid`)
        "#]],
    );
    process(&tree, 1, 0);
    std::fs::create_dir_all(tree.root().join("proc/self/ns")).unwrap();
    symlink("pid:[4026532281]", tree.root().join("proc/self/ns/pid")).unwrap();
    let mut sampler = begin(&tree);
    let began_ns = sampler.at_ns;
    let text = sampled(&mut sampler, began_ns, &tree);
    assert!(text.contains("gpu.foreign: `/proc` shows only processes of this container\n"), "{text}");
}

fn xe(render: u64, video: u64, total: u64) -> String {
    format!(
        "drm-driver:\txe\ndrm-client-id:\t3\ndrm-pdev:\t0000:03:00.0\ndrm-resident-vram0:\t2 MiB\n\
         drm-cycles-rcs:\t{render}\ndrm-total-cycles-rcs:\t{total}\ndrm-cycles-vcs:\t{video}\n\
         drm-total-cycles-vcs:\t{total}\ndrm-engine-capacity-vcs:\t2\n"
    )
}

#[test]
fn xe_has_cycles_parts_with_a_clock_and_energy() {
    let files = [
        ("sys/class/drm/card0/device/uevent", "DRIVER=xe\nPCI_SLOT_NAME=0000:03:00.0\n"),
        ("sys/class/drm/card0/device/drm/card0/dev", "226:0\n"),
        ("sys/class/drm/card0/device/drm/renderD129/dev", "226:129\n"),
        ("sys/class/drm/card0/device/tile0/gt0/engines/rcs/job_timeout_ms", "5000\n"),
        ("sys/class/drm/card0/device/tile0/gt0/freq0/act_freq", "2400\n"),
        ("sys/class/drm/card0/device/tile0/gt1/engines/vcs/job_timeout_ms", "5000\n"),
        ("sys/class/drm/card0/device/tile0/gt1/freq0/act_freq", "0\n"),
        ("sys/class/drm/card0/device/hwmon/hwmon3/name", "xe\n"),
        ("sys/class/drm/card0/device/hwmon/hwmon3/energy1_input", "1000000\n"),
        ("sys/class/drm/card0/device/hwmon/hwmon3/energy2_input", "7\n"),
    ];
    let tree = machine(&files);
    open(&tree, 200, 5, "/dev/dri/renderD129", &xe(100, 50, 1_000));
    let mut sampler = begin(&tree);
    open(&tree, 200, 5, "/dev/dri/renderD129", &xe(400, 650, 2_000));
    sampler.cards[0].began(sampler.at_ns);
    tree.write("sys/class/drm/card0/device/hwmon/hwmon3/energy1_input", "86000000\n");
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card0.render.own 0.3 1
            gpu.card0.video.own 0.3 1
            gpu.card0.memory.vram0.own 2097152 By
            gpu.card0.render.foreign 0 1
            gpu.card0.video.foreign 0 1
            gpu.card0.gt0.frequency 2400000000 Hz
            gpu.card0.gt1.frequency unknown Hz
            gpu.card0.power 85 W
        "#]],
    );
}

#[test]
fn amdgpu_has_busy_memory_clock_and_power() {
    let files = [
        ("sys/class/drm/card0/device/uevent", "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:c1:00.0\n"),
        ("sys/class/drm/card0/device/gpu_busy_percent", "37\n"),
        ("sys/class/drm/card0/device/mem_info_vram_used", "1073741824\n"),
        ("sys/class/drm/card0/device/mem_info_gtt_used", "4096\n"),
        ("sys/class/drm/card0/device/pp_dpm_sclk", "0: 500Mhz\n1: 2100Mhz *\n"),
        ("sys/class/drm/card0/device/hwmon/hwmon1/power1_average", "45000000\n"),
        ("sys/class/drm/card2/device/uevent", "DRIVER=nvidia\nPCI_SLOT_NAME=0000:01:00.0\n"),
        ("sys/class/drm/card3/device/uevent", "DRIVER=ast\nPCI_SLOT_NAME=0000:05:00.0\n"),
    ];
    let tree = machine(&files);
    let client = |decode: u64| {
        let used = if decode == 0 { String::new() } else { format!("drm-engine-dec:\t{decode} ns\n") };
        format!(
            "pasid:\t1\ndrm-driver:\tamdgpu\ndrm-pdev:\t0000:c1:00.0\ndrm-client-id:\t7\n\
             drm-memory-vram:\t8 KiB\n{used}"
        )
    };
    open(&tree, 200, 5, NODE, &client(0));
    let mut sampler = begin(&tree);
    open(&tree, 200, 5, NODE, &client(S / 5));
    check(
        &mut sampler,
        &tree,
        1,
        expect![[r#"
            gpu.card0.compute.own 0 1
            gpu.card0.copy.own 0 1
            gpu.card0.decode.own 0.2 1
            gpu.card0.render.own 0 1
            gpu.card0.memory.vram.own 8192 By
            gpu.card0.compute.foreign 0 1
            gpu.card0.copy.foreign 0 1
            gpu.card0.decode.foreign 0 1
            gpu.card0.render.foreign 0 1
            gpu.card0.busy 0.37 1
            gpu.card0.memory.vram 1073741824 By
            gpu.card0.memory.gtt 4096 By
            gpu.card0.frequency 2100000000 Hz
            gpu.card0.power 45 W
            gpu.card3: its load is not known: its driver is `ast`; `lp` reads those of `i915`, `xe` and `amdgpu`
        "#]],
    );
}

#[test]
fn an_apu_tells_the_power_of_the_chip() {
    let tree = machine(&[
        ("sys/class/drm/card0/device/uevent", "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:c1:00.0\n"),
        ("sys/class/drm/card0/device/hwmon/hwmon1/in1_input", "800\n"),
        ("sys/class/drm/card0/device/hwmon/hwmon1/power1_input", "15000000\n"),
    ]);
    let mut sampler = begin(&tree);
    let began_ns = sampler.at_ns;
    let text = sampled(&mut sampler, began_ns, &tree);
    assert!(text.contains("gpu.card0.socket_power 15 W\n") && !text.contains("card0.power"), "{text}");
}

#[test]
fn a_machine_without_a_gpu_says_so() {
    let tree = machine(&[]);
    let place = Place { root: tree.root(), lp: 100, workers: &[], collectors: &[] };
    let error = GpuSampler::below(&place).unwrap_err();
    assert_eq!(
        tree.without_root(&error.reason()),
        "no GPU of Intel or AMD in `/sys/class/drm` (usual in a virtual machine)"
    );
}
