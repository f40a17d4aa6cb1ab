//! How notes are searched.

/// How notes are searched. The defaults are OpenClaw's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Whether agents can search at all.
    pub enabled: bool,
    /// Most passages of an answer.
    pub max_results: usize,
    /// Least relevance of a passage that was found by meaning.
    pub min_score: f64,
    /// How words and meaning are weighed; `None` takes meaning alone where it is known.
    pub hybrid: Option<Hybrid>,
    /// Between 0 (as various as can be) and 1 (as relevant as can be); `None` leaves the order of relevance.
    pub mmr: Option<f64>,
    /// Days after which a daily note counts half; `None` for never.
    pub half_life_days: Option<f64>,
    /// Tokens of a piece.
    pub tokens: usize,
    /// Tokens that a piece shares with the one before.
    pub overlap: usize,
}

/// How words and meaning are weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hybrid {
    /// The weight of meaning.
    pub vector: f64,
    /// The weight of words.
    pub text: f64,
    /// How many times more passages are looked at than are shown.
    pub candidates: usize,
}

impl Default for Hybrid {
    fn default() -> Self {
        Self { vector: 0.7, text: 0.3, candidates: 4 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            max_results: 6,
            min_score: 0.35,
            hybrid: Some(Hybrid::default()),
            mmr: Some(0.7),
            half_life_days: Some(30.0),
            tokens: 400,
            overlap: 80,
        }
    }
}
