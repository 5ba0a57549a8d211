"""Training, evaluation and presentation of networks that reconstruct meshes."""
