//! Files rot, vanish and change places.
