"""Masked autoencoder pre-training (He et al., 2022) of a plain ViT, small enough for a CPU.

Axis letters: B batch, N patch tokens, K kept tokens, D width.
"""

import torch
from jaxtyping import Float, Int64
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn


class MaskedAutoencoder(nn.Module):
    """Encode a quarter of the patches, reconstruct the pixels of the others.

    The loss is the mean squared error on masked patches whose pixels are normalised per patch.
    """

    def __init__(
        self,
        encoder: VisionTransformer,
        *,
        decoder_width: int = 96,
        decoder_depth: int = 1,
        mask_ratio: float = 0.75,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.patch = encoder.patch_embed.patch_size[0]
        self.num_kept = round(encoder.patch_embed.num_patches * (1 - mask_ratio))
        grid = encoder.patch_embed.grid_size[0]
        _fix_position(encoder, grid)
        self.bridge = nn.Linear(encoder.embed_dim, decoder_width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_width))
        position = sincos_position(grid, decoder_width)
        self.decoder_position = nn.Parameter(position, requires_grad=False)
        self.decoder = nn.Sequential(
            *[Block(decoder_width, num_heads=3, qkv_bias=True) for _ in range(decoder_depth)],
            nn.LayerNorm(decoder_width, eps=1e-6),
            nn.Linear(decoder_width, 3 * self.patch**2),
        )
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
        """Return the reconstruction loss of a batch under fresh random masks."""
        tokens = self.encoder._pos_embed(self.encoder.patch_embed(pixels))
        cls, patches = tokens[:, :1], tokens[:, 1:]
        order = torch.rand(patches.shape[:2]).argsort(dim=1)
        kept, hidden = order[:, : self.num_kept], order[:, self.num_kept :]
        visible = torch.cat([cls, _take(patches, kept)], dim=1)
        encoded = self.encoder.norm(self.encoder.blocks(visible))
        predicted = _take(self._decode(self.bridge(encoded), order)[:, 1:], hidden)
        target = _take(self._normalised_patches(pixels), hidden)
        return (predicted - target).square().mean()

    def _decode(
        self, encoded: Float[Tensor, "B K1 W"], order: Int64[Tensor, "B N"]
    ) -> Float[Tensor, "B N1 V"]:
        batch, num_patches = order.shape
        masks = self.mask_token.expand(batch, num_patches - self.num_kept, -1)
        shuffled = torch.cat([encoded[:, 1:], masks], dim=1)
        restored = _take(shuffled, order.argsort(dim=1))
        full = torch.cat([encoded[:, :1], restored], dim=1) + self.decoder_position
        return self.decoder(full)

    def _normalised_patches(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N V"]:
        patch = self.patch
        grid = pixels.shape[-1] // patch
        cut = pixels.reshape(-1, 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
        flat = cut.reshape(len(pixels), grid * grid, -1)
        mean, var = flat.mean(-1, keepdim=True), flat.var(-1, keepdim=True)
        return (flat - mean) / (var + 1e-6).sqrt()


def sincos_position(grid: int, width: int) -> Float[Tensor, "1 N1 W"]:
    """Fixed 2-D sine-cosine position embedding with a zero row for the class token."""
    frequencies = 10_000.0 ** (-torch.arange(width // 4) / (width // 4))
    angles = torch.arange(grid)[:, None] * frequencies
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = axis[:, None].expand(grid, grid, -1)
    columns = axis[None].expand(grid, grid, -1)
    patches = torch.cat([columns, rows], dim=-1).reshape(grid * grid, width)
    return torch.cat([torch.zeros(1, width), patches])[None]


def _fix_position(encoder: VisionTransformer, grid: int) -> None:
    encoder.pos_embed.data.copy_(sincos_position(grid, encoder.embed_dim))
    encoder.pos_embed.requires_grad_(False)


def _take(tokens: Float[Tensor, "B N D"], index: Int64[Tensor, "B K"]) -> Float[Tensor, "B K D"]:
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))
