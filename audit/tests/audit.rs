//! The audit file from the outside: what is in it, what is noticed about it, what survives.

mod audit {
    pub(crate) mod chain;
    pub(crate) mod crash;
    pub(crate) mod file;
    pub(crate) mod made;
    pub(crate) mod schema;
    pub(crate) mod summary;
}
