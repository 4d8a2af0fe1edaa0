"""Rates and weight decays tried point by point, and chosen by the validation split."""
