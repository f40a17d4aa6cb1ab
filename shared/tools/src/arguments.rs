//! Reading what the model passed.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The arguments, or what is wrong with them in words for the model.
pub(crate) fn arguments<T: DeserializeOwned>(input: &Value) -> Result<T, String> {
    T::deserialize(input).map_err(|error| format!("The arguments do not fit: {error}. See the tool's schema."))
}
