mod corpus;
mod differential;
mod mutants;
mod peers;
mod properties;
mod reading;
