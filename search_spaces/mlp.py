"""The space of multi-layer perceptrons: how many layers, how wide each, and how to train them."""

from search_spaces.domains import AtLeast, Choice, Float, Int, OneOf, SearchSpace

MAX_LAYERS = 5

MLP_SPACE = SearchSpace(
    {
        "n_layers": Int(1, MAX_LAYERS),
        **{
            f"width_{i}": Int(8, 512, log=True, when=AtLeast("n_layers", i))
            for i in range(1, MAX_LAYERS + 1)
        },
        "activation": Choice(("relu", "gelu", "silu", "tanh")),
        "dropout": Float(0.0, 0.5),
        "batch_norm": Choice((True, False)),
        "optimizer": Choice(("sgd", "adamw")),
        "lr": Float(1e-4, 1.0, log=True),
        "momentum": Float(0.8, 0.99, when=OneOf("optimizer", ("sgd",))),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "batch_size": Choice((32, 64, 128, 256)),
    },
    grid_levels={"n_layers": 3, "lr": 6, "batch_norm": 2},
)
