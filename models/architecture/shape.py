"""How many parameters, how much attention and how much KV cache follow from a model's shape? Facts in, formulas out.

Counts are of the text model: towers for images or sound (Llama 4, Mistral Small 3.1) are not in them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupedAttention:
    """Heads that share keys and values in groups (GQA); as many KV heads as heads is plain multi-head attention, one is multi-query.

    `sinks`: each head has one learned logit more (gpt-oss).
    """

    heads: int
    kv_heads: int
    head_size: int
    query_bias: bool = False
    output_bias: bool = False
    head_norms: bool = False
    sinks: bool = False

    def parameters(self, hidden: int) -> int:
        """Count the weights of one layer: q, k, v and output projections, with biases and head norms where there are any."""
        return self.query_parameters(hidden) + self.kv_parameters(hidden)

    def query_parameters(self, hidden: int) -> int:
        """Count what tensor parallelism always splits: q and output projection."""
        width = self.heads * self.head_size
        biases = width * self.query_bias + hidden * self.output_bias
        return 2 * hidden * width + biases + 2 * self.head_size * self.head_norms + self.heads * self.sinks

    def kv_parameters(self, hidden: int) -> int:
        """Count the k and v projections: more GPUs than KV heads hold them several times."""
        width = 2 * self.kv_heads * self.head_size
        return hidden * width + width * self.query_bias

    @property
    def widths(self) -> tuple[int, int]:
        """Return the dimensions that a query is multiplied with for each token it sees: for its score, and for its value."""
        return self.heads * self.head_size, self.heads * self.head_size


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """DeepSeek's multi-head latent attention (MLA): the cache holds one compressed vector a token, shared by all heads."""

    heads: int
    kv_rank: int
    rope_size: int
    nope_size: int
    value_size: int
    query_rank: int | None = None

    def parameters(self, hidden: int) -> int:
        """Count the weights of one layer: the ways down and up for queries and for keys and values, norms, output."""
        return self.split_parameters(hidden) + self.whole_parameters(hidden)

    def split_parameters(self, hidden: int) -> int:
        """Count what belongs to heads, so that tensor parallelism splits it."""
        queries = (self.query_rank or hidden) * self.heads * (self.nope_size + self.rope_size)
        return queries + self.heads * (self.kv_rank * (self.nope_size + self.value_size) + self.value_size * hidden)

    def whole_parameters(self, hidden: int) -> int:
        """Count what every GPU holds whole: the ways down and their norms."""
        down = hidden * (self.kv_rank + self.rope_size) + self.kv_rank
        return down + (self.query_rank or 0) * (hidden + 1)

    @property
    def widths(self) -> tuple[int, int]:
        """As the engine decodes it: every head reads the compressed vector itself (the ways up are folded into query and output)."""
        return self.heads * (self.kv_rank + self.rope_size), self.heads * self.kv_rank


Attention = GroupedAttention | LatentAttention


@dataclass(frozen=True, slots=True)
class Experts:
    """The mixture-of-experts part of those layers that have one. `shared` experts see every token; sizes are of one expert's middle."""

    count: int
    active: int
    intermediate: int
    shared: int = 0
    shared_intermediate: int = 0
    router_extras: int = 0
    """Parameters of a layer's router beside its hidden × count matrix: its biases, a shared expert's gate."""

    expert_biases: bool = False


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model's shape. `windows` has one entry a layer: the tokens it looks back, None where it sees all; `moe_layers` likewise."""

    model_type: str
    layers: int
    hidden: int
    vocabulary: int
    intermediate: int
    attention: Attention
    windows: tuple[int | None, ...]
    moe_layers: tuple[bool, ...]
    experts: Experts | None
    tied_embeddings: bool
    context: int
    dtype: str
    gated_mlp: bool = True
    mlp_bias: bool = False
    norms_per_layer: int = 2
    norm_bias: bool = False
    position_embeddings: int = 0
    head_bias: bool = False
    quantised_as: str | None = None

    @property
    def moe_layer_count(self) -> int:
        """Layers whose MLP is a mixture of experts."""
        return sum(self.moe_layers)

    @property
    def embedding_parameters(self) -> int:
        """Input embeddings: vocabulary × hidden, and learned positions where the model has them. Looked up, never multiplied."""
        return (self.vocabulary + self.position_embeddings) * self.hidden

    @property
    def head_parameters(self) -> int:
        """The projection to the vocabulary, multiplied for each token even where it is the embedding's own matrix (`tied_embeddings`)."""
        return self.vocabulary * (self.hidden + self.head_bias)

    @property
    def attention_parameters(self) -> int:
        """Attention of all layers."""
        return self.layers * self.attention.parameters(self.hidden)

    @property
    def norm_parameters(self) -> int:
        """Normalisation of all layers, and the last one."""
        return (self.layers * self.norms_per_layer + 1) * self.hidden * (1 + self.norm_bias)

    @property
    def dense_mlp_parameters(self) -> int:
        """The MLPs of the layers without experts."""
        return (self.layers - self.moe_layer_count) * self._mlp(self.intermediate, biases=self.mlp_bias)

    @property
    def expert_parameters(self) -> int:
        """One routed expert of one layer."""
        return self._mlp(self.experts.intermediate, biases=self.experts.expert_biases) if self.experts else 0

    @property
    def routed_parameters(self) -> int:
        """All routed experts of all layers: what expert parallelism spreads."""
        return self.moe_layer_count * self.experts.count * self.expert_parameters if self.experts else 0

    @property
    def shared_expert_parameters(self) -> int:
        """The shared experts of all layers, which see every token."""
        if not self.experts:
            return 0
        return self.moe_layer_count * self.experts.shared * self._mlp(self.experts.shared_intermediate, biases=False)

    @property
    def router_parameters(self) -> int:
        """What chooses the experts, in all layers."""
        if not self.experts:
            return 0
        return self.moe_layer_count * (self.hidden * self.experts.count + self.experts.router_extras)

    @property
    def parameters(self) -> int:
        """All parameters, each counted once."""
        once = self.embedding_parameters + (0 if self.tied_embeddings else self.head_parameters)
        return once + self._every_token + self.routed_parameters

    @property
    def active_parameters(self) -> int:
        """Parameters that one token is multiplied with: all but the input embeddings, and of the routed experts those chosen."""
        chosen = self.moe_layer_count * self.experts.active * self.expert_parameters if self.experts else 0
        return self.head_parameters + self._every_token + chosen

    @property
    def _every_token(self) -> int:
        mlps = self.dense_mlp_parameters + self.shared_expert_parameters
        return self.attention_parameters + self.norm_parameters + mlps + self.router_parameters

    def experts_read(self, tokens: int) -> float:
        """Return how many of a layer's routed experts a step over `tokens` is expected to read, if tokens choose independently.

        count × (1 - (1 - active / count)^tokens): the usual occupancy formula. Real routers are less even, so fewer are read.
        """
        if self.experts is None:
            return 0.0
        return self.experts.count * (1 - (1 - self.experts.active / self.experts.count) ** tokens)

    def attention_flops(self, seen_tokens: float) -> float:
        """Return the FLOPs of one token's attention over `seen_tokens` before it: two for each multiply-add of scores and values."""
        scores, values = self.attention.widths
        return 2 * (scores + values) * sum(min(seen_tokens, window or seen_tokens) for window in self.windows)

    def _mlp(self, intermediate: int, *, biases: bool) -> int:
        ups = 2 if self.gated_mlp else 1
        return (ups + 1) * self.hidden * intermediate + biases * (ups * intermediate + self.hidden)
