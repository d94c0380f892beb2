//! `lp serve`: the clips of cameras as streams, for other people's players.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::args::{Global, ServeArgs};
use super::build::Screen;
use super::console::Volume;
use super::json_lines::StartEvent;
use super::progress::Observers;
use super::{Exit, console, project};
use crate::engine::Warm;
use crate::graph::{TaskGraph, select};
use crate::model::Camera;
use crate::os;
use crate::os::IpAddr;
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::path::ProjectPath;
use crate::pipeline::login::escaped;
use crate::session::{Clients, ServeError, Serving, StreamServer};
use crate::store::Store;
use crate::text::{counted, harmless, some_names};
use crate::worker::error::WorkerError;
use crate::worker::protocol::ServerLogin;
use crate::workspace::build::{Build, unwatched};
use crate::workspace::error::{CommandError, Kind, Result};
use crate::workspace::journal::Journal;
use crate::workspace::open::Workspace;
use crate::workspace::phases::Phases;
use crate::workspace::{serving, tools};

/// The variables with the user and password that clients have to give.
const USER: &str = "LP_RTSP_USER";
const PASSWORD: &str = "LP_RTSP_PASSWORD";

pub(super) fn run(global: &Global, args: &ServeArgs) -> Result<Exit> {
    let login = login()?;
    let opened = project::open_to_serve(global)?;
    let cameras = served(&opened, &args.cameras)?;
    let mounts = serving::mounts(cameras.iter().copied())?;
    let cancel = cancel_on_signals()?;
    let built = build(&opened, args, &mounts, &cancel)?;
    if built != Exit::Done {
        return Ok(built);
    }
    let launch = opened.worker().map_err(|error| CommandError::no_worker(&error))?;
    if launch.image().is_some() {
        let fault = "`worker.command` runs a container, in which a server cannot be reached";
        let hint = "name a worker of this machine in `LP_WORKER`, or run `lp serve` itself in a container";
        return Err(CommandError::refused(fault).hint(hint));
    }
    let is_open = login.is_none();
    let layout = &opened.project.layout;
    let serving = Serving {
        address: args.bind,
        port: args.port.unwrap_or(opened.project.settings.rtsp.port),
        login,
        cpus: opened.project.settings.rtsp.cpus.clone(),
        mounts: mounts.iter().map(|(name, clip)| (name.clone(), layout.resolve(clip))).collect(),
    };
    let server = StreamServer::start(&launch, &serving, None).map_err(|error| match error {
        ServeError::Worker(WorkerError::Refused(reason)) => {
            let is_taken = reason.contains("in use");
            let refused = CommandError { kind: Kind::Failed, ..CommandError::refused(reason) };
            let hint = "`--port N` takes another one, and `--port 0` any that is free";
            if is_taken { refused.hint(hint) } else { refused }
        }
        ServeError::Worker(error) => CommandError::no_worker(&error),
        error => CommandError::refused_by(&error),
    })?;
    let host = host_of(args.bind);
    if is_open && !args.bind.is_loopback() {
        console::note(&format!(
            "warning: everybody who can reach port {} of {host} can watch: set `{USER}` and `{PASSWORD}`",
            server.port()
        ));
    }
    for name in mounts.keys() {
        console::out(&format!("rtsp://{host}:{}/{}\n", server.port(), escaped(name)));
    }
    console::note(&format!("serving {}; Ctrl-C ends", counted(mounts.len(), "stream")));
    let ended = server.wait(&cancel, &mut |clients| {
        if console::volume() == Volume::Verbose {
            console::note(&clients_text(clients));
        }
    });
    let Some(exit) = ended else { return Ok(Exit::Done) };
    let fault = format!("the server died: {exit}");
    Err(CommandError { kind: Kind::Failed, ..CommandError::refused(fault) })
}

/// `3 clients, 2 streams are watched`
fn clients_text(Clients { clients, streams }: Clients) -> String {
    let are = if streams == 1 { "is" } else { "are" };
    format!("{}, {} {are} watched", counted(clients, "client"), counted(streams, "stream"))
}

/// The user and password that clients have to give, if the environment has them.
fn login() -> Result<Option<ServerLogin>> {
    let unread = os::env::not_utf8("LP_RTSP_").into_iter();
    let faults = unread.map(|name| CommandError::refused(format!("the variable `{name}` is not UTF-8")));
    if let Some(error) = CommandError::all(faults) {
        return Err(error);
    }
    let value = |name: &str| os::env::variable(name).filter(|value| !value.is_empty());
    match (value(USER), value(PASSWORD)) {
        (None, None) => Ok(None),
        // Its end in a digest, and what a header cannot hold.
        (Some(user), Some(_)) if user.contains([':', '"', '\\']) || user.contains(char::is_control) => {
            Err(CommandError::refused(format!("`{USER}` has a character that no user of RTSP can have")))
        }
        (Some(user), Some(password)) => Ok(Some(ServerLogin { user, password })),
        (Some(_), None) => Err(CommandError::refused(format!("`{USER}` is set, but `{PASSWORD}` is not"))),
        (None, Some(_)) => Err(CommandError::refused(format!("`{PASSWORD}` is set, but `{USER}` is not"))),
    }
}

/// The cameras whose clips are served.
fn served<'o>(opened: &'o Workspace, words: &[String]) -> Result<Vec<&'o Camera>> {
    let named = match words {
        [] => opened.project.cameras.iter().collect(),
        words => opened.cameras(words)?,
    };
    let (served, others): (Vec<&Camera>, Vec<&Camera>) =
        named.into_iter().partition(|camera| camera.served.is_some());
    if served.is_empty() {
        return Err(CommandError::refused("no camera has a clip to serve")
            .hint("a camera with a `fileSrc` and without a `streamUri` has one"));
    }
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|camera| harmless(&camera.name).into_owned()).collect();
        console::note(&format!("note: not served, since there is no clip to serve: {}", some_names(&names)));
    }
    Ok(served)
}

/// Brings the clips up to date.
fn build(
    opened: &Workspace,
    args: &ServeArgs,
    mounts: &BTreeMap<String, ProjectPath>,
    cancel: &Cancel,
) -> Result<Exit> {
    let fetching = project::fetching(&args.fetch)?;
    let graph: TaskGraph = project::graph(opened, &[])?;
    let wanted: BTreeSet<_> = mounts.values().filter_map(|clip| graph.producer(clip)).collect();
    let needed = select::closure(&graph, &wanted);
    opened.check_sources(&graph, &needed)?;
    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let build = Build { opened, graph: &graph, store: &store, tools: &tools, jobs: args.jobs, fetching };
    let screen = Screen::new(false, console::widest(&graph, &needed), true, StartEvent::Pending);
    let phases = Phases::new();
    let journal = Journal::new(&graph, &phases);
    let progress = Observers(vec![screen.progress(), &journal]);
    let host = build.host(&unwatched);
    let engine = build.engine(&host).watched_by(&progress).stopped_by(cancel);
    build.refuse_missing(&engine, &needed)?;
    let built = engine.build(&needed, &Warm::Nothing);
    console::keep(&store, &journal);
    console::link_clips(opened, &journal);
    if built.is_ok() {
        project::record_downloads(&build, &engine, &needed);
    }
    Ok(screen.ended(&built?.summary))
}

/// The host of URLs: where the server listens at all addresses of the machine, the one at which others
/// reach it, since they may not know its name. Its name if it is on no network.
fn host_of(address: IpAddr) -> String {
    let name = || os::proc::read(Path::new("/proc/sys/kernel/hostname")).ok();
    match address {
        any if any.is_unspecified() => match os::rtsp::outward_address(any) {
            Some(outward) => host_of(outward),
            None => name().map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned()),
        },
        IpAddr::V6(address) => format!("[{address}]"),
        IpAddr::V4(address) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_host_of_urls() {
        let host = |address: &str| host_of(address.parse().unwrap());
        assert_eq!((host("127.0.0.1"), host("::1")), ("127.0.0.1".to_owned(), "[::1]".to_owned()));
        assert!(!host("0.0.0.0").contains("0.0.0.0"));
    }
}
