"""How far a model's scores can be trusted, on images of its classes and of none of them."""
