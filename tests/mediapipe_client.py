"""Classify images with MediaPipe's ImageClassifier and print the scores as JSON.

    python tests/mediapipe_client.py MODEL IMAGES.npz

It needs its own environment (`make .venv-clients/ready`), because MediaPipe and TensorFlow Model
Optimization require different versions of absl-py.
"""

import json
import sys

import mediapipe as mp
import numpy as np

model, archive = sys.argv[1:]
options = mp.tasks.vision.ImageClassifierOptions(
    base_options=mp.tasks.BaseOptions(model_asset_path=model), max_results=10
)
results = []
with mp.tasks.vision.ImageClassifier.create_from_options(options) as classifier:
    for _, pixels in sorted(np.load(archive).items()):
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        categories = classifier.classify(image).classifications[0].categories
        results.append({category.category_name: category.score for category in categories})
print(json.dumps(results))
