//! What an answer should not show: stack traces, database errors, debug pages, directory listings, paths and hosts of the
//! inside.
//!
//! Each entry is a few letters that a search finds in one pass, and a look at what stands around them. Entries marked `told`
//! count only where an error speaks: a whole text body, or a field named for errors.

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use probity_model::{Signal, Signals};

use super::ClassError;

/// What must stand around the letters.
#[derive(Clone, Copy)]
enum Around {
    Any,
    /// A digit right behind.
    Digit,
    /// A digit right behind, and before it a name in parentheses: `(Main.java:12`.
    Frame,
    /// As [`Around::Any`], where an error speaks.
    Told,
    /// A letter, digit or `_` right behind, where an error speaks.
    ToldName,
    /// `10.1.2.3:5432`: the rest of a private address and a port, where an error speaks.
    ToldPrivate,
    /// The end of a host's name, where an error speaks.
    ToldHost,
}

use Around::{Any, Digit, Frame, Told, ToldHost, ToldName, ToldPrivate};
use Signal::{DebugPage, DirectoryListing, InternalDetail, StackTrace};

const PATTERNS: &[(&str, Signal, Around)] = &[
    // Java, Kotlin, Scala.
    (".java:", StackTrace, Frame),
    (".kt:", StackTrace, Frame),
    (".scala:", StackTrace, Frame),
    ("(Native Method)", StackTrace, Any),
    ("(Unknown Source)", StackTrace, Any),
    ("Exception in thread \"", StackTrace, Any),
    ("\nCaused by: ", StackTrace, Any),
    // Python.
    ("Traceback (most recent call last)", StackTrace, Any),
    (".py\", line ", StackTrace, Digit),
    // Node and browsers.
    (".js:", StackTrace, Frame),
    (".ts:", StackTrace, Frame),
    (".mjs:", StackTrace, Frame),
    (".cjs:", StackTrace, Frame),
    ("(node:internal/", StackTrace, Any),
    ("at node:internal/", StackTrace, Any),
    ("    at async ", StackTrace, Any),
    // .NET.
    (".cs:line ", StackTrace, Digit),
    (".vb:line ", StackTrace, Digit),
    ("--- End of stack trace from previous location", StackTrace, Any),
    ("--- End of inner exception stack trace ---", StackTrace, Any),
    // Go.
    ("goroutine 1 [running]", StackTrace, Any),
    (" [running]:\n", StackTrace, Any),
    ("panic: runtime error:", StackTrace, Any),
    (".go:", StackTrace, Frame),
    // Ruby.
    (":in `", StackTrace, Any),
    (".rb:", StackTrace, Frame),
    // PHP.
    ("PHP Fatal error:", StackTrace, Any),
    ("Fatal error: Uncaught ", StackTrace, Any),
    ("Stack trace:\n#0 ", StackTrace, Any),
    (".php on line ", StackTrace, Digit),
    (".php</b> on line <b>", StackTrace, Digit),
    (".php(", StackTrace, Digit),
    // Rust.
    ("' panicked at ", StackTrace, Any),
    ("stack backtrace:\n", StackTrace, Any),
    ("RUST_BACKTRACE", StackTrace, Any),
    // Databases.
    ("ORA-0", InternalDetail, Digit),
    ("ORA-1", InternalDetail, Digit),
    ("SQLSTATE[", InternalDetail, Any),
    ("SQLSTATE: ", InternalDetail, Any),
    ("You have an error in your SQL syntax", InternalDetail, Any),
    ("syntax error at or near \"", InternalDetail, Any),
    ("violates unique constraint", InternalDetail, Any),
    ("violates foreign key constraint", InternalDetail, Any),
    ("violates not-null constraint", InternalDetail, Any),
    ("\" does not exist\nLINE ", InternalDetail, Any),
    ("PG::", InternalDetail, ToldName),
    ("psycopg2.", InternalDetail, Any),
    ("org.postgresql.util.PSQLException", InternalDetail, Any),
    ("java.sql.SQL", InternalDetail, Any),
    ("com.mysql.", InternalDetail, Any),
    ("org.hibernate.", InternalDetail, Any),
    ("SQLITE_ERROR", InternalDetail, Any),
    ("sqlite3.OperationalError", InternalDetail, Any),
    ("no such table: ", InternalDetail, Told),
    ("no such column: ", InternalDetail, Told),
    ("UNIQUE constraint failed: ", InternalDetail, Any),
    ("Unclosed quotation mark after the character string", InternalDetail, Any),
    ("Incorrect syntax near ", InternalDetail, Any),
    ("System.Data.SqlClient.", InternalDetail, Any),
    ("ODBC SQL Server Driver", InternalDetail, Any),
    ("Microsoft OLE DB Provider", InternalDetail, Any),
    ("mysql_fetch_", InternalDetail, Any),
    ("mysqli_", InternalDetail, Told),
    ("Duplicate entry '", InternalDetail, Told),
    ("E11000 duplicate key", InternalDetail, Any),
    ("MongoServerError", InternalDetail, Any),
    ("SequelizeDatabaseError", InternalDetail, Any),
    ("PrismaClient", InternalDetail, Told),
    // Paths and hosts of the inside.
    ("/var/www/", InternalDetail, Told),
    ("/usr/lib/", InternalDetail, Told),
    ("/usr/local/", InternalDetail, Told),
    ("/usr/src/", InternalDetail, Told),
    ("/home/", InternalDetail, ToldName),
    ("/opt/", InternalDetail, ToldName),
    ("/srv/", InternalDetail, ToldName),
    ("/etc/", InternalDetail, ToldName),
    ("/node_modules/", InternalDetail, Told),
    ("/site-packages/", InternalDetail, Told),
    ("C:\\", InternalDetail, ToldName),
    ("D:\\", InternalDetail, ToldName),
    ("\\inetpub\\", InternalDetail, Told),
    (".svc.cluster.local", InternalDetail, Told),
    (".internal", InternalDetail, ToldHost),
    (".local", InternalDetail, ToldHost),
    (".corp", InternalDetail, ToldHost),
    (".lan", InternalDetail, ToldHost),
    (".intranet", InternalDetail, ToldHost),
    ("ECONNREFUSED ", InternalDetail, Told),
    ("getaddrinfo ENOTFOUND ", InternalDetail, Told),
    ("10.", InternalDetail, ToldPrivate),
    ("192.168.", InternalDetail, ToldPrivate),
    ("172.", InternalDetail, ToldPrivate),
    // Debug pages.
    ("Werkzeug Debugger", DebugPage, Any),
    ("The debugger caught an exception in your WSGI application", DebugPage, Any),
    ("<code>DEBUG = True</code>", DebugPage, Any),
    ("Using the URLconf defined in", DebugPage, Any),
    ("Whoops! There was an error", DebugPage, Any),
    ("Whoops\\Exception", DebugPage, Any),
    ("Action Controller: Exception caught", DebugPage, Any),
    ("Whitelabel Error Page", DebugPage, Any),
    ("Server Error in '/", DebugPage, Any),
    ("<title>phpinfo()</title>", DebugPage, Any),
    ("<title>PHP Version", DebugPage, Any),
    ("Symfony Exception", DebugPage, Any),
    ("sf-toolbar", DebugPage, Any),
    ("ignition-", DebugPage, Told),
    ("Apache Tomcat/", DebugPage, Digit),
    // Directory listings.
    ("<title>Index of /", DirectoryListing, Any),
    ("<h1>Index of /", DirectoryListing, Any),
    ("<title>Directory listing for /", DirectoryListing, Any),
    ("<title>Directory Listing For ", DirectoryListing, Any),
    ("[To Parent Directory]", DirectoryListing, Any),
];

const ALL: Signals = Signals(
    1 << StackTrace as u64
        | 1 << InternalDetail as u64
        | 1 << DebugPage as u64
        | 1 << DirectoryListing as u64,
);

pub(super) struct Traces {
    search: DFA,
}

impl Traces {
    pub(super) fn new() -> Result<Self, ClassError> {
        let search = DFA::new(PATTERNS.iter().map(|(text, ..)| text)).map_err(ClassError::Search)?;
        Ok(Self { search })
    }

    /// `told`: an error speaks here.
    pub(super) fn scan(&self, bytes: &[u8], told: bool) -> Signals {
        let mut signals = Signals::default();
        let Ok(mut state) = self.search.start_state(Anchored::No) else { return signals };
        for (at, byte) in bytes.iter().enumerate() {
            state = self.search.next_state(Anchored::No, state, *byte);
            if self.search.is_special(state) && self.search.is_match(state) {
                for index in 0..self.search.match_len(state) {
                    let pattern = self.search.match_pattern(state, index);
                    let Some((text, signal, around)) = PATTERNS.get(pattern.as_usize()) else { continue };
                    let start = (at + 1).saturating_sub(text.len());
                    if !signals.contains(*signal) && fits(*around, bytes, start, at + 1, told) {
                        signals.insert(*signal);
                    }
                }
                if signals == ALL {
                    break;
                }
            }
        }
        signals
    }
}

fn fits(around: Around, bytes: &[u8], start: usize, end: usize, told: bool) -> bool {
    let after = bytes.get(end).copied();
    let before = start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    match around {
        Any => true,
        Told => told,
        Digit => after.is_some_and(|next| next.is_ascii_digit()),
        Frame => after.is_some_and(|next| next.is_ascii_digit()) && is_frame(bytes, start),
        ToldName => told && after.is_some_and(|next| next.is_ascii_alphanumeric() || next == b'_'),
        ToldPrivate => {
            let begins = !before
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
            told && begins && is_private(bytes.get(start..).unwrap_or_default())
        }
        ToldHost => {
            let named = before.is_some_and(|byte| byte.is_ascii_alphanumeric());
            let ended = matches!(after, Some(b':' | b'/' | b'"' | b'\'' | b' ' | b',' | b')' | b'\n') | None);
            // `Error.internal` and `this.local` are code, not hosts: a host here has a dot or a dash, or a port behind.
            told && named && ended && (after == Some(b':') || host_before(bytes, start))
        }
    }
}

/// `at name (file.js:1:2)`, `file.go:12 +0x1b`, `at file.ts:1:2`: a trace, not a link to a file.
fn is_frame(bytes: &[u8], start: usize) -> bool {
    let head = bytes.get(start.saturating_sub(120)..start).unwrap_or_default();
    let line = head.rsplit(|byte| *byte == b'\n').next().unwrap_or(head);
    let file = line.iter().rev().take_while(|byte| !matches!(byte, b'(' | b' ' | b'\t' | b'"')).count();
    let lead = line.len().checked_sub(file).and_then(|at| line.get(..at)).unwrap_or_default();
    let framed = lead.ends_with(b"(") && lead.len() > 1 || lead.ends_with(b"at ") || lead.ends_with(b"\t");
    framed || line.len() == file && head.len() > line.len()
}

fn host_before(bytes: &[u8], start: usize) -> bool {
    let head = bytes.get(start.saturating_sub(64)..start).unwrap_or_default();
    let name =
        head.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    name.filter(|byte| matches!(byte, b'.' | b'-')).count() > 0
}

/// A private address (RFC 1918) with a port.
fn is_private(bytes: &[u8]) -> bool {
    let length = bytes.iter().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let port = bytes.get(length) == Some(&b':') && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
    let address = bytes.get(..length).and_then(|text| std::str::from_utf8(text).ok());
    port && address
        .and_then(|text| text.parse::<std::net::Ipv4Addr>().ok())
        .is_some_and(|address| address.is_private())
}
