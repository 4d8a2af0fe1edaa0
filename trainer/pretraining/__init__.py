"""How the embedded backbone was made: masked autoencoding on CIFAR-10."""
