//! A device node: [`Snapshot`] reads its owners and whether it can be opened;
//! [`judge`], which is pure, finds the reason why it cannot be used.

use std::io;
use std::path::Path;

use crate::os::device::{self, Node, OpenError, Owner};
use crate::path::for_shell;

/// A kind of device node.
/// <https://www.kernel.org/doc/html/latest/admin-guide/devices.html>
pub(super) struct Kind {
    /// Its name with an article.
    name: &'static str,
    /// The number of its drivers.
    major: u32,
    /// The group that udev gives it to.
    group: &'static str,
    /// The way to get one.
    pub(super) way_out: &'static str,
}

pub(super) const GPU: Kind = Kind {
    name: "a GPU",
    major: 226,
    group: "render",
    way_out: "`lspci -k` names the driver of each GPU; Intel's need `i915` or `xe`, newer ones also \
              firmware (sudo apt-get install firmware-misc-nonfree)",
};

pub(super) const NPU: Kind = Kind {
    name: "an NPU",
    major: 261,
    group: "render",
    way_out: "`lspci -k` names the driver of each NPU; Intel's need `intel_vpu` (Linux 6.3 or later) and the \
              firmware that comes with Intel's linux-npu-driver",
};

pub(super) const CAMERA: Kind = Kind {
    name: "a video device",
    major: 81,
    group: "video",
    way_out: "plug it in; `v4l2-ctl --list-devices` lists those that are there (sudo apt-get install v4l-utils)",
};

/// The state of a path.
pub(super) struct Snapshot {
    path: String,
    node: io::Result<Option<Node>>,
    /// The reason why it could not be opened, if it exists.
    refused: Option<OpenError>,
    /// The name of its group.
    group: Option<String>,
}

/// The reason why a device cannot be used, and the ways out.
#[derive(Debug, Default)]
pub(super) struct Fault {
    pub(super) wrong: String,
    pub(super) on_host: Option<String>,
    pub(super) in_container: Option<String>,
}

impl Snapshot {
    pub(super) fn at(path: String) -> Snapshot {
        let node = device::look(Path::new(&path));
        let there = node.as_ref().ok().copied().flatten().filter(|node| node.major.is_some());
        Snapshot {
            refused: there.and_then(|_| device::open(Path::new(&path)).err()),
            group: there.and_then(|node| device::group_name(node.gid)),
            node,
            path,
        }
    }
}

/// The flags that give a container a device. Without the number of its group, they
/// contain a command that finds it on the host.
pub(super) fn flags(path: &str, device: &str, gid: Option<u32>) -> String {
    let group = gid.map_or_else(|| format!("$(stat -c %g {})", for_shell(path)), |gid| gid.to_string());
    format!("--device {} --group-add {group}", for_shell(device))
}

/// The description of a usable device, or the reason why it cannot be used.
pub(super) fn judge(looked: &Snapshot, kind: &Kind, me: &Owner) -> Result<String, Fault> {
    let path = &looked.path;
    let word = for_shell(path);
    // GPUs and NPUs are given as a whole: elements choose among them.
    let given = match Path::new(path).parent().and_then(Path::to_str) {
        Some(folder @ ("/dev/dri" | "/dev/accel")) => folder,
        _ => path,
    };
    let fault = |wrong: String, on_host: Option<String>| Fault { wrong, on_host, ..Fault::default() };
    let node = match &looked.node {
        Ok(Some(node)) => node,
        Ok(None) => {
            let absent = fault(format!("there is no `{path}`"), Some(kind.way_out.to_owned()));
            return Err(Fault { in_container: Some(flags(path, given, None)), ..absent });
        }
        Err(error) => return Err(fault(format!("`{path}` cannot be read: {error}"), None)),
    };
    match node.major {
        Some(major) if major == kind.major => {}
        found => {
            let expected = format!("{} is a character device {}:*", kind.name, kind.major);
            let found = found.map_or("not a character device".to_owned(), |major| {
                format!("the character device {major}:*")
            });
            let wrong = format!("`{path}` is not {}: {expected}, this is {found}", kind.name);
            return Err(fault(wrong, Some(kind.way_out.to_owned())));
        }
    }
    let gid = node.gid;
    let group = looked
        .group
        .as_ref()
        .map_or(format!("group {gid}, which has no name"), |name| format!("group `{name}` ({gid})"));
    let Some(refused) = &looked.refused else {
        let member = if me.gids.contains(&gid) { "in it" } else { "not in it" };
        return Ok(format!("`{path}`, {group}, this process is {member}"));
    };
    let given_with_group = Some(flags(path, given, Some(gid)));
    Err(match refused {
        OpenError::Denied if permits(node, me) => Fault {
            wrong: format!(
                "`{path}` is not opened although its mode allows it: mounted with `nodev`, or a security module"
            ),
            on_host: Some(format!("`findmnt -T {word}` shows how it is mounted")),
            in_container: given_with_group,
        },
        OpenError::Denied if node.mode & 0o060 == 0o060 && gid != 0 => Fault {
            wrong: format!("`{path}` is for {group}, and this process is not in it"),
            on_host: Some(match &looked.group {
                Some(name) => format!("sudo usermod -aG {name} $USER, and log in again"),
                // Inside a container the host's name for it is not known.
                None => format!(
                    "`getent group {gid}` names it, else sudo groupadd --gid {gid} {}-{gid}; \
                     sudo usermod -aG its name $USER, and log in again",
                    kind.group
                ),
            }),
            in_container: given_with_group,
        },
        // The group that it gets there is not known yet.
        OpenError::Denied => Fault {
            wrong: format!("`{path}` is for its owner alone (user {}, mode {:03o})", node.uid, node.mode),
            on_host: Some(format!(
                "sudo chgrp {} {word}; sudo chmod g+rw {word}, which lasts until it is plugged in again",
                kind.group
            )),
            in_container: Some(flags(path, given, None)),
        },
        OpenError::Forbidden => Fault {
            wrong: format!(
                "`{path}` may not be opened: rules about devices forbid it, as those of a container do"
            ),
            on_host: None,
            in_container: given_with_group,
        },
        OpenError::Otherwise(error) => Fault {
            wrong: format!("`{path}` cannot be opened: {error}"),
            on_host: Some(match error.kind() {
                io::ErrorKind::ResourceBusy => format!("sudo fuser -v {word}, which lists its users"),
                _ => kind.way_out.to_owned(),
            }),
            in_container: given_with_group,
        },
    })
}

/// Whether a mode lets a process read and write, were there nothing else.
fn permits(node: &Node, me: &Owner) -> bool {
    let bits = match () {
        () if me.uid == 0 => return true,
        () if me.uid == node.uid => node.mode >> 6,
        () if me.gids.contains(&node.gid) => node.mode >> 3,
        () => node.mode,
    };
    bits & 0o6 == 0o6
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::devices::one;
    use super::super::finding::table;
    use super::*;
    use crate::report::grid::Paper;

    /// `crw-rw----` of root and the group 104.
    const RENDER: Node = Node { major: Some(226), mode: 0o660, uid: 0, gid: 104 };

    fn looked(node: Node, refused: Option<OpenError>, group: Option<&str>) -> Snapshot {
        Snapshot {
            path: "/dev/dri/renderD128".to_owned(),
            node: Ok(Some(node)),
            refused,
            group: group.map(str::to_owned),
        }
    }

    #[track_caller]
    fn check(looked: &Snapshot, kind: &Kind, groups: &[u32], expect: Expect) {
        let me = Owner { uid: 1000, gids: groups.iter().copied().collect() };
        expect.assert_eq(&table(&[one("X", judge(looked, kind, &me))], Paper::PLAIN));
    }

    #[test]
    fn a_device_that_opens_is_found_with_its_group() {
        check(
            &looked(RENDER, None, Some("render")),
            &GPU,
            &[1000, 104],
            expect![[r#"
            ok       X  `/dev/dri/renderD128`, group `render` (104), this process is in it
        "#]],
        );
        check(
            &looked(RENDER, None, None),
            &GPU,
            &[104],
            expect![[r#"
            ok       X  `/dev/dri/renderD128`, group 104, which has no name, this process is in it
        "#]],
        );
        check(
            &looked(Node { mode: 0o666, ..RENDER }, None, Some("render")),
            &GPU,
            &[1000],
            expect![[r#"
            ok       X  `/dev/dri/renderD128`, group `render` (104), this process is not in it
        "#]],
        );
    }

    #[test]
    fn a_device_of_another_group_shows_how_to_join_it() {
        check(
            &looked(RENDER, Some(OpenError::Denied), Some("render")),
            &GPU,
            &[1000],
            expect![[r#"
            missing  X  `/dev/dri/renderD128` is for group `render` (104), and this process is not in it
                        on the host: sudo usermod -aG render $USER, and log in again
                        in a container: --device /dev/dri --group-add 104
        "#]],
        );
        check(
            &looked(RENDER, Some(OpenError::Denied), None),
            &GPU,
            &[1000],
            expect![[r#"
                missing  X  `/dev/dri/renderD128` is for group 104, which has no name, and this process is not in it
                            on the host: `getent group 104` names it, else sudo groupadd --gid 104 render-104; sudo usermod -aG its name $USER, and log in again
                            in a container: --device /dev/dri --group-add 104
            "#]],
        );
    }

    #[test]
    fn a_device_of_its_owner_alone_needs_another_mode() {
        let node = Node { mode: 0o600, ..RENDER };
        check(
            &looked(node, Some(OpenError::Denied), Some("render")),
            &GPU,
            &[104],
            expect![[r#"
                missing  X  `/dev/dri/renderD128` is for its owner alone (user 0, mode 600)
                            on the host: sudo chgrp render /dev/dri/renderD128; sudo chmod g+rw /dev/dri/renderD128, which lasts until it is plugged in again
                            in a container: --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD128)
            "#]],
        );
        // Nobody is to be put into the group of root.
        let node = Node { gid: 0, ..RENDER };
        check(
            &looked(node, Some(OpenError::Denied), Some("root")),
            &GPU,
            &[1000],
            expect![[r#"
                missing  X  `/dev/dri/renderD128` is for its owner alone (user 0, mode 660)
                            on the host: sudo chgrp render /dev/dri/renderD128; sudo chmod g+rw /dev/dri/renderD128, which lasts until it is plugged in again
                            in a container: --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD128)
            "#]],
        );
    }

    #[test]
    fn a_container_may_forbid_what_the_mode_allows() {
        check(
            &looked(RENDER, Some(OpenError::Forbidden), None),
            &GPU,
            &[104],
            expect![[r#"
            missing  X  `/dev/dri/renderD128` may not be opened: rules about devices forbid it, as those of a container do
                        in a container: --device /dev/dri --group-add 104
        "#]],
        );
        check(
            &looked(RENDER, Some(OpenError::Denied), None),
            &GPU,
            &[104],
            expect![[r#"
            missing  X  `/dev/dri/renderD128` is not opened although its mode allows it: mounted with `nodev`, or a security module
                        on the host: `findmnt -T /dev/dri/renderD128` shows how it is mounted
                        in a container: --device /dev/dri --group-add 104
        "#]],
        );
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let null = Node { major: Some(1), mode: 0o666, uid: 0, gid: 0 };
        check(
            &looked(null, None, Some("root")),
            &GPU,
            &[1000],
            expect![[r#"
                missing  X  `/dev/dri/renderD128` is not a GPU: a GPU is a character device 226:*, this is the character device 1:*
                            on the host: `lspci -k` names the driver of each GPU; Intel's need `i915` or `xe`, newer ones also firmware (sudo apt-get install firmware-misc-nonfree)
            "#]],
        );
        check(
            &looked(Node { major: None, ..null }, None, None),
            &NPU,
            &[1000],
            expect![[r#"
            missing  X  `/dev/dri/renderD128` is not an NPU: an NPU is a character device 261:*, this is not a character device
                        on the host: `lspci -k` names the driver of each NPU; Intel's need `intel_vpu` (Linux 6.3 or later) and the firmware that comes with Intel's linux-npu-driver
        "#]],
        );
        let busy = io::Error::from(io::ErrorKind::ResourceBusy);
        let camera = Node { major: Some(81), mode: 0o660, uid: 0, gid: 44 };
        let looked = looked(camera, Some(OpenError::Otherwise(busy)), Some("video"));
        check(
            &Snapshot { path: "/dev/video0".to_owned(), ..looked },
            &CAMERA,
            &[44],
            expect![[r#"
            missing  X  `/dev/video0` cannot be opened: resource busy
                        on the host: sudo fuser -v /dev/video0, which lists its users
                        in a container: --device /dev/video0 --group-add 44
        "#]],
        );
    }

    #[test]
    fn modes_are_read_as_the_kernel_does() {
        let me = |uid, gids: &[u32]| Owner { uid, gids: gids.iter().copied().collect() };
        let node = |mode| Node { mode, ..RENDER };
        assert!(permits(&node(0o660), &me(1000, &[104])));
        assert!(!permits(&node(0o660), &me(1000, &[1000])));
        assert!(permits(&node(0o666), &me(1000, &[1000])));
        // The first class that fits decides, be it the worse one.
        assert!(!permits(&node(0o606), &me(1000, &[104])));
        assert!(!permits(&Node { uid: 1000, ..node(0o066) }, &me(1000, &[104])));
        assert!(!permits(&node(0o640), &me(1000, &[104])));
        assert!(permits(&node(0), &me(0, &[])));
    }
}
