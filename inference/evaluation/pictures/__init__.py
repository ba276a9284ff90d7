"""Pictures of an evaluation: the only part of it that needs matplotlib and scikit-learn."""
