"""The identity of a frozen backbone, as it is written into every artifact."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

EMBEDDED = "vit_micro_patch8_64"
"""The compact ViT whose weights ship with the package (MAE, CIFAR-10)."""

Pooling = Literal["cls", "mean", "mean-with-prompts", "map"]
"""How the last block's tokens become one feature: the class token; the mean of the patch
tokens; the mean of patch and prompt tokens, as the official SPT code does for MAE; what the
trunk's own attention pooling makes of the patch tokens, as for SigLIP."""

FinalNorm = Literal["before-pooling", "after-pooling"]
"""Whether the trunk's last LayerNorm sees the tokens or the pooled feature."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BackboneSpec(BaseModel):
    """Which frozen ViT, with which weights, read out how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="timm name, or the embedded backbone's")
    weights_sha256: Sha256 = Field(description="digest of the trunk's tensors, see weights.digest")
    width: int = Field(ge=1, description="D, width of a token")
    depth: int = Field(ge=1, description="L, number of blocks")
    num_heads: int = Field(ge=1)
    image_size: int = Field(ge=1, description="side of the square input, in pixels")
    patch_size: int = Field(ge=1, description="side of a patch, in pixels")
    pooling: Pooling
    final_norm: FinalNorm

    def mismatches(self, other: "BackboneSpec") -> list[str]:
        """Name what makes this another trunk than `other`, each with both values.

        Pooling and final norm do not count: every adapter brings its own, and one trunk
        serves them all.
        """
        return [
            f"{field} {getattr(self, field)} against {getattr(other, field)}"
            for field in (
                "weights_sha256",
                "width",
                "depth",
                "num_heads",
                "image_size",
                "patch_size",
            )
            if getattr(self, field) != getattr(other, field)
        ]
