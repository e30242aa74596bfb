"""SQuAD: answers as spans of a paragraph, Clark & Gardner's reader with bi-attention and self-attention."""
