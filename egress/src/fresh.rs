//! A secret as it is now: from the vault, which is asked off the runtime when its source has to be asked again.
use credentials::{Resolution, Secret, Slot, Vault};

/// The value to use now.
/// # Errors
/// Why there is none, for the operator.
pub(crate) async fn current(vault: &Vault, slot: Slot) -> Result<Secret, String> {
    match vault.current(slot) {
        Ok(Resolution::Current(secret)) => Ok(secret),
        Ok(Resolution::RefreshDue) => {
            let vault = vault.clone();
            let refreshed = tokio::task::spawn_blocking(move || vault.refresh(slot)).await;
            refreshed.map_err(|_| "the refresh broke off".to_owned())?.map_err(|error| error.why)
        }
        Err(error) => Err(error.why),
    }
}
