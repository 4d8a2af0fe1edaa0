"""What can be trained on the frozen backbone: one class per way, one name per method."""
