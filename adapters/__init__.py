"""What an adapter is, how it acts on the frozen backbone, and where it lives."""
