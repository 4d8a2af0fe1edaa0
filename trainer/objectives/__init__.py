"""What a run learns of an image: for each kind of target its loss and scores."""
