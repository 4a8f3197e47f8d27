//! Floor 4: the only place that names glommio.
