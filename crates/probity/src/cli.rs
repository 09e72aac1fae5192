//! The command line. Each command carries an example; every one prints text or JSON.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Debug, Parser)]
#[command(
    name = "probity",
    version,
    about = "Stands in front of your APIs, knows every API that you have, and proves that they are compliant",
    after_help = "Example:\n  probity up --config probity.yaml\n  probity demo"
)]
pub struct Cli {
    /// Data folder; the configuration's, else ./probity-data.
    #[arg(long, global = true, env = "PROBITY_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Checks and frameworks from a folder instead of the built-in catalogue.
    #[arg(long, global = true, env = "PROBITY_CATALOG", value_name = "DIR")]
    pub catalog: Option<PathBuf>,
    /// File with the root key; a systemd credential or the user's configuration folder otherwise.
    #[arg(long, global = true, env = "PROBITY_ROOT_KEY", value_name = "FILE")]
    pub root_key: Option<PathBuf>,
    /// How to print: text or json; a report is html or json.
    #[arg(long, global = true, value_enum)]
    pub format: Option<GivenFormat>,
    /// Log what happens to standard error.
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Log as JSON lines.
    #[arg(long, global = true)]
    pub log_json: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// What `--format` may say; each command takes two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GivenFormat {
    Text,
    Json,
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run in front of your APIs until interrupted.
    #[command(after_help = "Example:\n  probity up --config probity.yaml\n  probity up --demo")]
    Up(UpArgs),
    /// Run the demo API with traffic, judge it, print what was found, and exit.
    #[cfg(feature = "demo")]
    #[command(after_help = "Example:\n  probity demo --format json\n  probity demo --enforce")]
    Demo(DemoArgs),
    /// Read recorded calls (HAR, nginx, Apache or Envoy JSON access logs) instead of going inline.
    #[command(
        after_help = "Example:\n  probity import access.log --service shop\n  probity import session.har"
    )]
    Import(ImportArgs),
    /// Judge specification files before anything runs.
    #[command(after_help = "Example:\n  probity check openapi.yaml --fail-on medium")]
    Check(CheckArgs),
    /// What exists: documented, shadow, zombie, orphan and unowned operations.
    #[command(subcommand, after_help = "Example:\n  probity inventory list --state shadow")]
    Inventory(InventoryCommand),
    /// Tokens that the gateway put in the place of values.
    #[command(
        subcommand,
        after_help = "Example:\n  probity token reveal ptk_aq5… --reason 'chargeback 4711'"
    )]
    Token(TokenCommand),
    /// What is to be fixed.
    #[command(subcommand, after_help = "Example:\n  probity finding list --severity high")]
    Finding(FindingCommand),
    /// Who may call.
    #[command(
        subcommand,
        after_help = "Example:\n  probity consumer add billing --kind service --scope invoices:read"
    )]
    Consumer(ConsumerCommand),
    /// API keys and other credentials of consumers.
    #[command(
        subcommand,
        after_help = "Example:\n  probity key issue --consumer billing --expires 2027-01-31"
    )]
    Key(KeyCommand),
    /// Credentials that others issued: tokens of an issuer or of a subject.
    #[command(
        subcommand,
        after_help = "Example:\n  probity credential revoke --subject ada --reason 'left the company'"
    )]
    Credential(CredentialCommand),
    /// How the frameworks stand.
    #[command(subcommand, after_help = "Example:\n  probity compliance status --framework pci-dss-4.0.1")]
    Compliance(ComplianceCommand),
    /// A report of one framework, every verdict down to its evidence.
    #[command(after_help = "Example:\n  probity report pci-dss-4.0.1 --format html --output pci.html")]
    Report(ReportArgs),
    /// Re-verify a ledger offline and name what was changed.
    #[command(
        after_help = "Example:\n  probity verify probity-data --key evidence.vkey --checkpoint kept.txt\n\nEach log has its key: give both, and a checkpoint of both, to hold the whole ledger against what was kept elsewhere."
    )]
    Verify(VerifyArgs),
    /// The tamper-evident log.
    #[command(subcommand, after_help = "Example:\n  probity ledger checkpoint > kept.txt")]
    Ledger(LedgerCommand),
    /// Why: a finding, a call, a check or a control.
    #[command(
        after_help = "Example:\n  probity explain f-0a1b2c3d4e5f6071\n  probity explain pci-dss-4.0.1/6.4.2"
    )]
    Explain {
        /// A finding, a request id, a check, or `framework/control`.
        what: String,
    },
    /// What is enforced: show it, try a draft, promote it, roll back.
    #[command(
        subcommand,
        after_help = "Example:\n  probity policy simulate draft.yaml --since 24h\n  probity policy stage draft.yaml\n  probity policy show\n  probity policy promote"
    )]
    Policy(PolicyCommand),
    /// Checks and frameworks.
    #[command(subcommand, after_help = "Example:\n  probity catalog test")]
    Catalog(CatalogCommand),
    /// The configuration file.
    #[command(subcommand, after_help = "Example:\n  probity config validate probity.yaml")]
    Config(ConfigCommand),
    /// Look at what usually goes wrong.
    #[command(after_help = "Example:\n  probity doctor --config probity.yaml")]
    Doctor {
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Versions of the program and of the shapes it writes.
    #[command(after_help = "Example:\n  probity version --format json")]
    Version,
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  probity completions bash > /etc/bash_completion.d/probity")]
    Completions { shell: clap_complete::Shell },
    /// The demo API alone, as the demo starts it: prints its address on standard output.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoUpstream,
    /// JSON Schema of what `probity demo --format json` prints.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoSchema,
}

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// The revision in force, the modes of its controls, and how a staged draft is doing.
    Show,
    /// Decide from records what a draft would change.
    #[command(after_help = "Example:\n  probity policy simulate draft.yaml --since 24h")]
    Simulate {
        /// A draft of the configuration.
        draft: PathBuf,
        /// How far back records are read: `90m`, `24h`, `30d`.
        #[arg(long, default_value = "24h")]
        since: String,
    },
    /// Try a draft beside what is in force: its controls flag calls and refuse none.
    #[command(after_help = "Example:\n  probity policy stage draft.yaml")]
    Stage {
        /// A draft of the configuration, in the same folder as the configuration.
        draft: PathBuf,
    },
    /// Put the staged draft in the configuration's place; without one, end a roll back.
    Promote,
    /// Enforce again what an older revision did, until something is promoted.
    #[command(after_help = "Example:\n  probity policy rollback --to 12")]
    Rollback {
        /// The revision; the last one with another content when absent.
        #[arg(long, value_name = "REVISION")]
        to: Option<u64>,
    },
}

#[derive(Debug, Args)]
pub struct UpArgs {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = "probity.yaml")]
    pub config: PathBuf,
    /// A workplace, not production: listeners with `self_signed: true` serve certificates made here, and answers to
    /// failed calls say what went wrong behind the gateway.
    #[arg(long)]
    pub dev: bool,
    /// Start the demo API, its traffic, and Probity in front of it.
    #[cfg(feature = "demo")]
    #[arg(long, conflicts_with = "config")]
    pub demo: bool,
    /// With --demo: protect the demo API instead of only observing it.
    #[cfg(feature = "demo")]
    #[arg(long, requires = "demo")]
    pub enforce: bool,
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Calls that the traffic generator makes, at least 600.
    #[arg(long, default_value_t = 720)]
    pub calls: usize,
    #[arg(long, default_value_t = 20_261_102)]
    pub seed: u64,
    /// Protect the demo API: refuse, mask and strip what does harm, then try every planted fault.
    #[arg(long)]
    pub enforce: bool,
    /// Keep the data folder and the HTML reports here.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    pub file: PathBuf,
    /// The format; found out from the file when absent.
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
    /// The service that calls without a known host belong to.
    #[arg(long)]
    pub service: Option<String>,
    /// Configuration with services and specifications for the import.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Har,
    /// nginx or Apache common or combined, also with virtual host.
    Combined,
    /// Envoy JSON, or nginx with `escape=json`.
    Json,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Specification files, or folders to look for them in.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Exit with 1 when a finding is of this severity or above.
    #[arg(long, default_value = "high", value_name = "SEVERITY")]
    pub fail_on: String,
}

#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// Every operation, or those in one state.
    #[command(after_help = "Example:\n  probity inventory list --state zombie")]
    List {
        /// documented, not-yet-seen, orphan, shadow, zombie, deprecated-in-use, dormant or unowned.
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        service: Option<String>,
    },
    /// Everything known of one operation.
    #[command(after_help = "Example:\n  probity inventory show 'GET /v2/patients/{patientId}'")]
    Show { operation: String },
    /// Say who owns an operation, who calls it, how much depends on it.
    #[command(
        after_help = "Example:\n  probity inventory set 'GET /v2/export' --owner team-data --audience partner"
    )]
    Set {
        operation: String,
        #[arg(long)]
        owner: Option<String>,
        #[arg(long)]
        audience: Option<String>,
        #[arg(long)]
        criticality: Option<String>,
        #[arg(long = "tag")]
        tags: Vec<String>,
    },
    /// What traffic shows of operations that no specification has, as a document to review and to put among
    /// `specifications`.
    #[command(after_help = "Example:\n  probity inventory export --openapi --service clinic > clinic.json")]
    Export {
        /// As OpenAPI 3.1, in JSON: the one form there is.
        #[arg(long, required = true)]
        openapi: bool,
        /// Needed where there are several.
        #[arg(long)]
        service: Option<String>,
    },
    /// Record that the inventory was reviewed.
    #[command(
        after_help = "Example:\n  probity inventory review --note 'quarterly review, two shadows assigned'"
    )]
    Review {
        #[arg(long)]
        note: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// The value behind a token. The ledger keeps who asked, when and why.
    #[command(after_help = "Example:\n  probity token reveal ptk_aq5… --reason 'chargeback 4711'")]
    Reveal {
        token: String,
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum FindingCommand {
    /// Open findings, worst first.
    #[command(after_help = "Example:\n  probity finding list --severity high --check pan-mask")]
    List {
        /// open, mitigated, fixed, muted or all.
        #[arg(long, default_value = "open")]
        state: String,
        /// This severity and above.
        #[arg(long)]
        severity: Option<String>,
        #[arg(long)]
        check: Option<String>,
    },
    /// One finding with its remediation and evidence.
    #[command(after_help = "Example:\n  probity finding show f-0a1b2c3d")]
    Show { finding: String },
    /// Silence a finding for a reason and until a date.
    #[command(
        after_help = "Example:\n  probity finding mute f-0a1b2c3d --reason 'fixed in 2.4, rollout' --until 2027-01-31"
    )]
    Mute {
        finding: String,
        #[arg(long)]
        reason: String,
        /// Date or RFC 3339 moment.
        #[arg(long)]
        until: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConsumerCommand {
    /// Add a consumer, or change one that was added so.
    #[command(
        after_help = "Example:\n  probity consumer add billing --kind service --tenant north --role clerk --scope invoices:read --attribute region=eu"
    )]
    Add {
        name: String,
        #[arg(long, value_enum, default_value_t = ConsumerKind::Service)]
        kind: ConsumerKind,
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long = "role")]
        roles: Vec<String>,
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// `name=value`; a value that is JSON is taken as such.
        #[arg(long = "attribute", value_name = "NAME=VALUE")]
        attributes: Vec<String>,
        /// Services of another environment refuse its credentials.
        #[arg(long)]
        environment: Option<String>,
        /// Who answers for it.
        #[arg(long)]
        owner: Option<String>,
    },
    /// Every consumer, those of the configuration too.
    #[command(after_help = "Example:\n  probity consumer list --format json")]
    List,
    /// One consumer with its keys.
    #[command(after_help = "Example:\n  probity consumer show billing")]
    Show { name: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConsumerKind {
    User,
    Service,
    Partner,
}

/// What a new credential is for.
#[derive(Debug, Args)]
pub struct KeyFor {
    #[arg(long)]
    pub consumer: String,
    /// The consumer's when absent.
    #[arg(long)]
    pub environment: Option<String>,
    /// In place of the consumer's own scopes.
    #[arg(long = "scope")]
    pub scopes: Vec<String>,
    /// In place of the consumer's own roles.
    #[arg(long = "role")]
    pub roles: Vec<String>,
    /// Date or RFC 3339 moment; never when absent.
    #[arg(long, value_name = "DATE")]
    pub expires: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make an API key. It is shown once.
    #[command(
        after_help = "Example:\n  probity key issue --consumer billing --scope invoices:read --expires 2027-01-31"
    )]
    Issue {
        #[command(flatten)]
        of: KeyFor,
    },
    /// Take a credential that an API knows already: only its hash is kept.
    #[command(
        after_help = "Example:\n  probity key import --consumer billing --value-file token.txt --presented bearer\n  probity key import --consumer billing --value-file password.txt --user ada"
    )]
    Import {
        #[command(flatten)]
        of: KeyFor,
        /// File that holds the key, token or password.
        #[arg(long, value_name = "FILE")]
        value_file: PathBuf,
        #[arg(long, value_enum, default_value_t = Presented::Any)]
        presented: Presented,
        /// The value is the password of this Basic user.
        #[arg(long)]
        user: Option<String>,
    },
    /// Keys, never their secrets.
    #[command(after_help = "Example:\n  probity key list --consumer billing")]
    List {
        #[arg(long)]
        consumer: Option<String>,
    },
    /// Make a key in the place of another, which runs out after a while.
    #[command(after_help = "Example:\n  probity key rotate k-0a1b2c3d4e5f --overlap 24h")]
    Rotate {
        /// Id, or the beginning of one.
        key: String,
        /// How long the old key still counts.
        #[arg(long, default_value = "24h")]
        overlap: String,
    },
    /// End a key at once.
    #[command(after_help = "Example:\n  probity key revoke k-0a1b2c3d4e5f --reason 'found in a log'")]
    Revoke {
        /// Id, or the beginning of one.
        key: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Presented {
    Bearer,
    ApiKey,
    Any,
}

#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Refuse from now on whatever fits all that is named and was issued until now.
    #[command(
        after_help = "Example:\n  probity credential revoke --issuer https://id.example --subject ada --reason 'lost laptop'"
    )]
    Revoke {
        #[arg(long)]
        issuer: Option<String>,
        #[arg(long)]
        subject: Option<String>,
        #[arg(long)]
        consumer: Option<String>,
        /// Keyed hash of a credential in hexadecimal, as records show it.
        #[arg(long)]
        credential: Option<String>,
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ComplianceCommand {
    /// Verdicts of the open slot.
    #[command(after_help = "Example:\n  probity compliance status --framework owasp-api-2023")]
    Status {
        #[arg(long)]
        framework: Option<String>,
        #[arg(long)]
        scope: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Framework id; `probity catalog list` names them.
    pub framework: String,
    #[arg(long)]
    pub scope: Option<String>,
    /// Where to write it; `-` for standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A data folder or its ledger folder.
    pub path: PathBuf,
    /// Verifier key (text or file) from outside; once for each log.
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
    /// Checkpoint kept elsewhere; any number of them.
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub checkpoints: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Print a signed checkpoint to keep elsewhere.
    #[command(after_help = "Example:\n  probity ledger checkpoint --log evidence > kept.txt")]
    Checkpoint {
        #[arg(long, value_enum, default_value_t = Log::Evidence)]
        log: Log,
    },
    /// Print the verifier key to keep elsewhere.
    #[command(after_help = "Example:\n  probity ledger key > probity.vkey")]
    Key {
        #[arg(long, value_enum, default_value_t = Log::Evidence)]
        log: Log,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Log {
    Evidence,
    Verdicts,
}

#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Run the examples of every check.
    #[command(after_help = "Example:\n  probity catalog test --catalog ./catalog")]
    Test,
    /// Checks and frameworks of this version.
    #[command(after_help = "Example:\n  probity catalog list --format json")]
    List,
    /// One page for each check, generated from its METADATA.
    #[command(after_help = "Example:\n  probity catalog pages --format json")]
    Pages,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read a configuration and everything it names; print each fault with its place.
    #[command(after_help = "Example:\n  probity config validate probity.yaml")]
    Validate {
        #[arg(default_value = "probity.yaml")]
        file: PathBuf,
    },
    /// JSON Schema of the configuration.
    #[command(after_help = "Example:\n  probity config schema > probity.schema.json")]
    Schema,
    /// The configuration in force, with defaults filled in.
    #[command(after_help = "Example:\n  probity config show probity.yaml --origin")]
    Show {
        #[arg(default_value = "probity.yaml")]
        file: PathBuf,
        /// Say of each value where it comes from.
        #[arg(long)]
        origin: bool,
    },
}
