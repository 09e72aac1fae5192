//! The clinic's documents, embedded, so that a single executable can show the whole demo.
//!
//! They are not read by the clinic itself. Their sources lie beside this crate's manifest.

/// The newest published specification (OpenAPI 3.1, YAML).
pub const SPECIFICATION: &str = include_str!("../openapi.yaml");

/// The specification of the version before, whose operations were removed.
pub const SPECIFICATION_V1: &str = include_str!("../openapi-v1.yaml");

/// A configuration of Probity that protects the clinic, with the addresses of a start by hand.
pub const PROBITY: &str = include_str!("../probity.yaml");

/// Who owns which route file.
pub const CODEOWNERS: &str = include_str!("../CODEOWNERS");

/// The machine-readable list of planted faults.
pub const FAULTS: &str = include_str!("../faults.yaml");

/// Deployment files as (path relative to the example's folder, content).
pub const DEPLOYMENT: [(&str, &str); 7] = [
    ("terraform/main.tf", include_str!("../terraform/main.tf")),
    ("terraform/network.tf", include_str!("../terraform/network.tf")),
    ("terraform/storage.tf", include_str!("../terraform/storage.tf")),
    ("terraform/gateway.tf", include_str!("../terraform/gateway.tf")),
    ("kubernetes/clinic-api.yaml", include_str!("../kubernetes/clinic-api.yaml")),
    ("kubernetes/reports.yaml", include_str!("../kubernetes/reports.yaml")),
    ("kubernetes/ingress.yaml", include_str!("../kubernetes/ingress.yaml")),
];
