"""What a trained network predicts, and its loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lib.network.losses import Loss, mae
from lib.network.models import PART, GraphNetwork
from lib.physics import datasets


@torch.no_grad()
def evaluate(model: GraphNetwork, bodies: Tensor, accelerations: Tensor, loss: Loss = mae) -> float:
    """A loss, in float32, of a model on bodies [graphs, n, 2*dim+2]; the paper's loss per node by default."""
    parts = zip(bodies.split(PART), accelerations.split(PART), strict=True)
    return sum(float(loss(model(x), a)) * len(x) for x, a in parts) / len(bodies)


def tensors(trajectories: datasets.Trajectories, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Features [graphs, n, 2*dim+2] and accelerations [graphs, n, dim] of all snapshots."""
    features, accelerations = trajectories.graphs()
    device = device or torch.device("cpu")
    return torch.as_tensor(features).to(device), torch.as_tensor(accelerations).to(device)


def predict(model: GraphNetwork, bodies: np.ndarray) -> np.ndarray:
    """Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2], in float32."""
    with torch.no_grad():
        parts = torch.as_tensor(bodies).split(PART)
        return np.concatenate([model(part).numpy() for part in parts])


def received(model: GraphNetwork, bodies: np.ndarray) -> np.ndarray:
    """Sums of the messages that each body receives, [graphs, n, channels], of bodies [graphs, n, 2*dim+2]."""
    with torch.no_grad():
        parts = (model.received(model.messages(part)[0], part.shape[-2]) for part in torch.as_tensor(bodies).split(PART))
        return np.concatenate([part.numpy() for part in parts])
