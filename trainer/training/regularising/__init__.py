"""What keeps a training from fitting its images too closely, besides weight decay."""
