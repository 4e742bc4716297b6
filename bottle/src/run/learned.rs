//! The end of a run that was learned from: the routes that explain what was seen, written beside the manifest.
use super::Run;
use crate::commands::learn::{coloured, exchanges};
use crate::learn;
use crate::say;
use crate::style::{Style, neutral};
use jiff::Timestamp;

impl Run<'_> {
    /// Proposes. What goes wrong here is said and fails no run: `bottle learn` does the same from the audit at any time.
    pub(super) fn propose(&self, began: Timestamp) {
        if let Err(failure) = self.write_proposal(began) {
            let slug = self.claim.slug();
            say::err(&format!(
                "bottle: warning: {}; `bottle learn {slug}` proposes from the audit\n",
                neutral(&failure.what)
            ));
        }
    }

    fn write_proposal(&self, began: Timestamp) -> Result<(), crate::failure::Failure> {
        let wanted = &self.wishes.operation.wanted;
        let seen = exchanges(&self.plan.audit_file, Some(began))?;
        let source = format!("a run of `{}`", self.claim.slug());
        let proposed = learn::propose(&wanted.choice(), &seen, &source, Timestamp::now())?;
        let style = Style::stderr();
        if proposed.diff.is_empty() {
            say::err(&format!("\nlearned nothing new\n{}", proposed.told()));
            return Ok(());
        }
        say::err(&format!("\n{}{}", coloured(&proposed.diff, style), proposed.told()));
        let file = learn::write(&proposed, None)?;
        say::err(&format!(
            "wrote {}: look at each route before you keep it\n",
            neutral(&file.display().to_string())
        ));
        Ok(())
    }
}
