//! accesslog
