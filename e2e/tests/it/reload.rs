//! A changed configuration comes into force while calls go on.

use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::binary::Place;
use crate::client::{Connection, curl};
use crate::deadline::wait_for;
use crate::running::{Running, configuration};
use crate::upstream::Upstream;

fn service(name: &str, upstream: &Upstream) -> String {
    format!("  - name: {name}\n    path: /{name}\n    upstreams: [{{url: \"{}\"}}]\n", upstream.url())
}

fn wait_for_service(running: &Running, path: &str) {
    wait_for(format!("`{path}` to be served"), || (curl([running.url(path)]).status == 200).then_some(()));
}

#[test]
fn a_changed_file_comes_into_force_and_a_faulty_one_does_not() {
    let place = Place::new();
    let (first, second) = (Upstream::echo("first"), Upstream::echo("second"));
    let one = configuration(&service("first", &first));
    place.write("probity.yaml", &one);
    let running = Running::start(&place);
    let mut open = Connection::open(running.address());
    assert_eq!(open.get("shop", "/first").status, 200);
    assert_eq!(open.get("shop", "/second").status, 404);

    let two = format!("{one}{}", service("second", &second));
    place.write("probity.yaml", &two);
    wait_for_service(&running, "/second");
    let answer = open.get("shop", "/second");
    assert_eq!((answer.status, answer.json()["name"].as_str()), (200, Some("second")));
    assert_eq!(open.get("shop", "/first").status, 200);

    place.write("probity.yaml", two.replace("path: /second", "pathh: /second"));
    wait_for("the fault to be logged", || running.log().contains("the previous one stays").then_some(()));
    assert!(running.log().contains("pathh"), "{}", running.log());
    assert_eq!(open.get("shop", "/second").status, 200);
    assert_eq!(running.metric("probity_gateway_bundle_revision"), 2.0);
    running.stop();
}

/// The configuration is a link that is turned to another file, which no watch on files sees.
#[test]
fn sighup_reads_the_configuration_again() {
    let place = Place::new();
    let (first, second) = (Upstream::echo("first"), Upstream::echo("second"));
    let one = configuration(&service("first", &first));
    let before = place.write("before/one.yaml", &one);
    let after = place.write("after/two.yaml", format!("{one}{}", service("second", &second)));
    symlink(before, place.path("probity.yaml")).unwrap();
    let running = Running::start(&place);
    let mut open = Connection::open(running.address());
    assert_eq!(open.get("shop", "/first").status, 200);

    std::fs::remove_file(place.path("probity.yaml")).unwrap();
    symlink(after, place.path("probity.yaml")).unwrap();
    running.signal(Signal::HUP);
    wait_for_service(&running, "/second");
    assert_eq!(open.get("shop", "/second").status, 200);
    assert_eq!(open.get("shop", "/first").status, 200);
    running.stop();
}
