//! The judge from the outside: tables of spellings, and properties that hold for every input.

mod policy {
    pub(crate) mod address;
    pub(crate) mod decide;
    pub(crate) mod denial;
    pub(crate) mod host;
    pub(crate) mod made;
    pub(crate) mod path;
    pub(crate) mod request;
}
