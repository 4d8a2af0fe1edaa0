"""What the numbers of an answer are worth: chosen on validation images, once a run is trained."""
