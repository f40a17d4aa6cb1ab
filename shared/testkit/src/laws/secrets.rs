//! Laws of [`SecretStore`].

use chela_core::secret::{SecretError, SecretRef, SecretStore};

use super::Subject;

/// A secret store that holds one secret in each kind of place it reads.
pub struct SecretSubject {
    /// The store.
    pub store: Subject<dyn SecretStore>,
    /// For each kind of place: where a secret is, its value, and where none is.
    pub places: Vec<SecretPlace>,
    /// A reference to a kind of place the store cannot read.
    pub unsupported: SecretRef,
}

/// One kind of place.
pub struct SecretPlace {
    /// Where a secret is.
    pub present: SecretRef,
    /// Its value; not the empty text.
    pub value: String,
    /// A name of the same kind under which nothing is.
    pub missing: SecretRef,
}

/// A secret comes back as it was put there, twice the same.
pub async fn a_secret_comes_back(subject: &SecretSubject) {
    assert!(!subject.places.is_empty());
    for place in &subject.places {
        for _ in 0..2 {
            let secret = subject.store.get(&place.present).await.unwrap();
            assert!(secret.expose() == place.value, "{:?} is not what was put there", place.present);
        }
    }
}

/// A missing secret is named, with its kind of place and what the owner can do.
pub async fn a_missing_secret_is_named_with_the_fix(subject: &SecretSubject) {
    for place in &subject.places {
        let error = subject.store.get(&place.missing).await.unwrap_err();
        let SecretError::Missing { source_kind, id, fix } = &error else { panic!("{error}") };
        assert_eq!((*source_kind, id), (place.missing.source, &place.missing.id));
        assert!(fix.len() > 10, "\"{fix}\" does not say what to do");
        assert!(error.to_string().contains(&place.missing.id));
    }
}

/// A kind of place that cannot be read here is refused, with those that can.
pub async fn an_unsupported_source_is_refused(subject: &SecretSubject) {
    let error = subject.store.get(&subject.unsupported).await.unwrap_err();
    let SecretError::Unsupported(source, supported) = &error else { panic!("{error}") };
    assert_eq!(*source, subject.unsupported.source);
    for place in &subject.places {
        let name = serde_json::to_string(&place.present.source).unwrap();
        assert!(supported.contains(name.trim_matches('"')), "\"{supported}\" does not name {name}");
    }
}

/// No error shows a value, not even of a secret that is there.
pub async fn no_error_shows_a_value(subject: &SecretSubject) {
    let references = subject.places.iter().map(|place| &place.missing).chain([&subject.unsupported]);
    for reference in references {
        let error = subject.store.get(reference).await.unwrap_err();
        for place in &subject.places {
            assert!(!format!("{error} {error:?}").contains(&place.value));
        }
    }
}

/// Declares one test for each law of secrets; `$make` is an `async fn() -> SecretSubject`.
#[macro_export]
macro_rules! secret_laws {
    ($make:expr) => {
        $crate::law_tests!(
            secrets,
            $make,
            [
                a_secret_comes_back,
                a_missing_secret_is_named_with_the_fix,
                an_unsupported_source_is_refused,
                no_error_shows_a_value,
            ]
        );
    };
}
