use sqlx::postgres::PgSslMode;

use super::options;

#[test]
fn beyond_this_machine_tls_is_verified_unless_the_url_says_otherwise() {
    let check = |url: &str, expected: &str| {
        let mode = match options(url).unwrap().get_ssl_mode() {
            PgSslMode::Disable => "disable",
            PgSslMode::Allow => "allow",
            PgSslMode::Prefer => "prefer",
            PgSslMode::Require => "require",
            PgSslMode::VerifyCa => "verify-ca",
            PgSslMode::VerifyFull => "verify-full",
        };
        assert_eq!(mode, expected, "{url}");
    };
    check("postgres://u@db.example/name", "verify-full");
    check("postgres://u@10.0.0.7/name?application_name=sslmode", "verify-full");
    check("postgres://u@localhost.example/name", "verify-full");
    check("postgresql://u@db.example/name?sslmode=disable", "disable");
    check("postgres://u@db.example/name?application_name=x&sslmode=require", "require");
    check("postgres://u@localhost/name", "prefer");
    check("postgres://u@127.0.0.1/name", "prefer");
    check("postgres://u@[::1]/name", "prefer");
    check("postgres://u@[2001:db8::1]/name", "verify-full");
    check("postgres://u@localhost/name?host=/run/postgresql", "prefer");
    check("postgres://u@localhost/name?host=db.example", "verify-full");
}

#[test]
fn an_ipv6_address_is_resolved_without_its_brackets() {
    assert_eq!(options("postgres://u@[::1]:5433/name").unwrap().get_host(), "::1");
}
