"""The recurrence once more, one row and one step at a time, for autograd to differentiate."""

import torch


def slow_loop(input_gates, hidden, cell, state_weight, projection, batch_sizes, cell_clip, projection_clip):
    """Row by row, step by step; outputs in packed order and each row's last cell."""
    cells = cell.size(2)
    outputs = {}
    last_cells = []
    for direction in (0, 1):
        for row in range(batch_sizes[0]):
            h, c = hidden[direction, row], cell[direction, row]
            start = 0
            for t, size in enumerate(batch_sizes):
                if row < size:
                    gates = input_gates[direction, start + row] + h @ state_weight[direction]
                    i, f, o, j = gates.split(cells)
                    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(j)
                    if cell_clip is not None:
                        c = c.clamp(-cell_clip, cell_clip)
                    h = torch.sigmoid(o) * torch.tanh(c)
                    if projection is not None:
                        h = h @ projection[direction]
                    if projection_clip is not None:
                        h = h.clamp(-projection_clip, projection_clip)
                    outputs[direction, t, row] = h
                start += size
            last_cells.append(c)
    packed = [
        torch.stack([outputs[direction, t, row] for t, size in enumerate(batch_sizes) for row in range(size)])
        for direction in (0, 1)
    ]
    return torch.stack(packed), torch.stack(last_cells).view(2, batch_sizes[0], cells)
